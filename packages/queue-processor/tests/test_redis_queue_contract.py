"""The message queue's contract, played to RedisQueue on a real server, in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from queue_processor import RedisQueue
from shared_testing.contracts.message_queue_suite import MessageQueueContract, MessageQueueUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TestRedisQueue(MessageQueueContract):
    @pytest_asyncio.fixture
    async def message_queue(self, redis_url: str, lease: float) -> AsyncIterator[MessageQueueUnderTest]:
        async with RedisQueue(redis_url, lease=lease, max_deliveries=3) as queue:
            yield MessageQueueUnderTest(queue, lease, 3)
