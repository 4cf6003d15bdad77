"""The task engine's contract, played to the local pool and to what a stranger would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from queue_processor import MemoryQueue
from shared_testing.contracts.task_engine_suite import TASKS, TaskEngineContract, TaskEngineUnderTest
from task_queue import AsyncTaskQueue, QueueEngine, RetryPolicy, TaskWorker, task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    RunSuite = Callable[..., pytest.RunResult]

pytestmark = pytest.mark.virtual_time


def local_pool(max_concurrent: int, timeout: float | None, attempts: int) -> AsyncTaskQueue:
    retry = RetryPolicy(attempts=attempts, base=0.001, retry_on=(ValueError,))
    return AsyncTaskQueue(max_concurrent, timeout=timeout, retry=retry)


class TestTaskEngine(TaskEngineContract):
    @pytest.fixture
    def task_engine(self) -> TaskEngineUnderTest:
        return TaskEngineUnderTest(local_pool)


class TestQueueEngine(TaskEngineContract):
    """Of workers on a queue, which are here only so that no time passes."""

    @pytest_asyncio.fixture
    async def task_engine(self) -> AsyncIterator[TaskEngineUnderTest]:
        queue = MemoryQueue()

        def make(max_concurrent: int, timeout: float | None, attempts: int) -> AsyncTaskQueue:
            retry = RetryPolicy(attempts=attempts, base=0.001, retry_on=(ValueError,))
            return AsyncTaskQueue(max_concurrent, timeout=timeout, retry=retry, engine=QueueEngine(queue))

        async with TaskWorker(queue, [task(each) for each in TASKS]).processor():
            yield TaskEngineUnderTest(make, in_process=False)


def test_a_strangers_engine_is_held_to_it_by_one_fixture(run_suite: RunSuite) -> None:
    """One that keeps its promises, and one that runs more at once than it was told to."""
    result = run_suite(
        """
        import asyncio
        import pytest
        from shared_testing.contracts.task_engine_suite import TaskEngineContract, TaskEngineUnderTest
        from task_queue import AsyncTaskQueue, RetryPolicy

        def mine(max_concurrent, timeout, attempts):
            retry = RetryPolicy(attempts=attempts, base=0, retry_on=(ValueError,))
            return AsyncTaskQueue(max_concurrent, timeout=timeout, retry=retry)

        def hasty(max_concurrent, timeout, attempts):
            return mine(max_concurrent + 1, timeout, attempts)

        @pytest.mark.virtual_time
        class TestMyEngine(TaskEngineContract):
            @pytest.fixture(params=[mine, hasty])
            def task_engine(self, request):
                return TaskEngineUnderTest(request.param)

        @pytest.mark.virtual_time
        class TestElsewhere(TaskEngineContract):
            @pytest.fixture
            def task_engine(self):
                return TaskEngineUnderTest(mine, in_process=False)
        """
    )
    failed = [line.split()[1].rpartition("::")[2] for line in result.outlines if line.startswith("FAILED")]
    assert sorted(failed) == [
        "test_a_cancelled_call_leaves_no_task_behind[hasty]",
        "test_as_many_run_at_once_as_was_said[hasty]",
        "test_two_calls_at_once_share_the_places[hasty]",
    ]
    assert result.parseoutcomes()["skipped"] == 7
