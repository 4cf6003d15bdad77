"""The message queue's contract, played to SQLiteQueue in real files, in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest_asyncio

from queue_processor import SQLiteQueue
from shared_testing.contracts.message_queue_suite import MessageQueueContract, MessageQueueUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class SQLiteContract(MessageQueueContract):
    """Leases go by the machine's clock, which other processes have in common."""

    durability: Literal["normal", "full"]

    @pytest_asyncio.fixture
    async def message_queue(self, tmp_path: Path, lease: float) -> AsyncIterator[MessageQueueUnderTest]:
        path = tmp_path / "queue.db"
        async with SQLiteQueue(path, lease=lease, max_deliveries=3, durability=self.durability) as queue:
            yield MessageQueueUnderTest(queue, lease, 3)


class TestNormal(SQLiteContract):
    durability = "normal"


class TestFull(SQLiteContract):
    durability = "full"
