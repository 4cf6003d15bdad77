"""The message queue's contract, played to RedisQueue on a real server, in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from queue_processor import RedisQueue
from shared_testing.contracts.message_queue_suite import MessageQueueContract, MessageQueueUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

# Seconds: each test waits for some of them to run out. The longer one leaves a busy machine the time to be in time.
LEASE, SHORT = 0.3, 0.05


class TestRedisQueue(MessageQueueContract):
    @pytest_asyncio.fixture
    async def message_queue(
        self, redis_url: str, request: pytest.FixtureRequest
    ) -> AsyncIterator[MessageQueueUnderTest]:
        lease = SHORT if request.node.get_closest_marker("leases_run_out") else LEASE
        async with RedisQueue(redis_url, lease=lease, max_deliveries=3) as queue:
            yield MessageQueueUnderTest(queue, lease, 3)
