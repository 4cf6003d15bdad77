from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from task_queue import AsyncTaskQueue, ReentrantCallError

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock


async def test_a_task_that_calls_its_own_queue_is_told(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """It would wait for the place it occupies: an error says so, instead of a deadlock."""
    queue, inner = AsyncTaskQueue(1), AsyncTaskQueue(1)
    slow = tasks.slow(1)

    async def nested(which: AsyncTaskQueue) -> int:
        return len(await which.process_all([("inner", slow, (), {})]))

    async def in_a_child(which: AsyncTaskQueue) -> Any:
        return await asyncio.create_task(which.process_task("inner", slow))

    async def streaming(which: AsyncTaskQueue) -> int:
        return len([result async for result in which.stream([("inner", slow, (), {})])])

    for func in (nested, in_a_child, streaming):
        refused = await queue.process_task("outer", func, queue)
        assert isinstance(refused.error, ReentrantCallError)
        assert (await queue.process_task("outer", func, inner)).succeeded
    through = await queue.process_task("outer", inner.process_task, "middle", nested, queue)
    assert isinstance(through.result.error, ReentrantCallError)


async def test_the_consumer_of_a_stream_may_call_the_queue(tasks: TaskBuilders) -> None:
    """Only tasks occupy places: a callback's or consumer's call is an ordinary one."""
    queue = AsyncTaskQueue(1)
    async for outer in queue.stream([("a", tasks.slow(0), (), {}), ("b", tasks.slow(0), (), {})]):
        assert (await queue.process_task((outer.task_id, "inner"), tasks.slow(0))).succeeded
