"""The task engine's contract, played to QueueEngine on the queues that outlive a process, in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from queue_processor import RedisQueue, SQLiteQueue
from shared_testing.contracts.task_engine_suite import TASKS, TaskEngineContract, TaskEngineUnderTest
from task_queue import AsyncTaskQueue, QueueEngine, RetryPolicy, TaskWorker, task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class QueueEngineContract(TaskEngineContract):
    """Whoever asks and whoever works have a queue each, as processes have."""

    @pytest_asyncio.fixture
    async def task_engine(
        self, queues_of_both: tuple[SQLiteQueue | RedisQueue, SQLiteQueue | RedisQueue]
    ) -> AsyncIterator[TaskEngineUnderTest]:
        theirs, ours = queues_of_both

        def make(max_concurrent: int, timeout: float | None, attempts: int) -> AsyncTaskQueue:
            retry = RetryPolicy(attempts=attempts, base=0.001, retry_on=(ValueError,))
            return AsyncTaskQueue(max_concurrent, timeout=timeout, retry=retry, engine=QueueEngine(ours))

        async with theirs, ours:
            async with TaskWorker(theirs, [task(each) for each in TASKS]).processor():
                yield TaskEngineUnderTest(make, in_process=False)
            # A worker replies before it acknowledges: only when it has ended is nothing in flight.
            assert await ours.counts() == (0, 0, 0)


class TestOnSQLite(QueueEngineContract):
    @pytest.fixture
    def queues_of_both(self, tmp_path: Path) -> tuple[SQLiteQueue, SQLiteQueue]:
        return SQLiteQueue(tmp_path / "queue.db"), SQLiteQueue(tmp_path / "queue.db")


class TestOnRedis(QueueEngineContract):
    @pytest.fixture
    def queues_of_both(self, redis_url: str) -> tuple[RedisQueue, RedisQueue]:
        return RedisQueue(redis_url), RedisQueue(redis_url)
