"""The message queue's contract, played to SQLiteQueue in real files, in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest_asyncio

from queue_processor import SQLiteQueue
from shared_testing.contracts.message_queue_suite import MessageQueueContract, MessageQueueUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

# Seconds: each test waits for some of them to run out. The longer one leaves a busy machine the time to be in time.
LEASE, SHORT = 0.3, 0.05


class SQLiteContract(MessageQueueContract):
    """Leases go by the machine's clock, which other processes have in common."""

    durability: Literal["normal", "full"]

    @pytest_asyncio.fixture
    async def message_queue(
        self, tmp_path: Path, request: pytest.FixtureRequest
    ) -> AsyncIterator[MessageQueueUnderTest]:
        path = tmp_path / "queue.db"
        lease = SHORT if request.node.get_closest_marker("leases_run_out") else LEASE
        async with SQLiteQueue(path, lease=lease, max_deliveries=3, durability=self.durability) as queue:
            yield MessageQueueUnderTest(queue, lease, 3)


class TestNormal(SQLiteContract):
    durability = "normal"


class TestFull(SQLiteContract):
    durability = "full"
