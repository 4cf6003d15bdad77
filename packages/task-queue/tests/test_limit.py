from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from shared_testing import settle
from task_queue import AsyncTaskQueue, QueueInUseError
from task_queue.limit import Limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from shared_testing import TaskBuilders, VirtualClock

    Numbered = Callable[..., list[Any]]


async def test_the_limit_holds_across_calls(
    virtual_clock: VirtualClock, tasks: TaskBuilders, numbered: Numbered
) -> None:
    """However many calls a queue gets, no more tasks run than it allows (T8)."""
    slow = tasks.slow(1)
    queue = AsyncTaskQueue(2)

    async def consume() -> int:
        return len([result async for result in queue.stream(numbered(6, slow))])

    await asyncio.gather(
        queue.process_all(numbered(6, slow)),
        queue.process_all(numbered(6, slow)),
        consume(),
        *(queue.process_task(number, slow) for number in range(6)),
    )
    assert (slow.peak, slow.succeeded) == (2, 24)
    assert virtual_clock.now == 12


async def test_two_calls_take_turns(virtual_clock: VirtualClock, tasks: TaskBuilders, numbered: Numbered) -> None:
    """A long call does not keep a short one waiting until its end."""
    queue = AsyncTaskQueue(1)
    long = asyncio.create_task(queue.process_all(numbered(100, tasks.slow(1))))
    await settle()
    await queue.process_all(numbered(3, tasks.slow(1)))
    assert virtual_clock.now < 10
    long.cancel()
    await asyncio.wait([long])


async def test_a_place_handed_to_the_cancelled_is_passed_on() -> None:
    """A place that reaches a waiter in the turn of its cancellation goes to the next, and is not lost."""
    limit = Limit(1)
    limit.free = 0
    first, second = asyncio.create_task(limit.wait()), asyncio.create_task(limit.wait())
    await settle()
    limit.give_back()
    first.cancel()
    await settle()
    assert first.cancelled()
    assert second.done()
    limit.give_back()
    assert limit.free == 1


async def test_a_waiter_that_left_is_skipped() -> None:
    """A place is not handed to somebody who has gone."""
    limit = Limit(1)
    limit.free = 0
    first = asyncio.create_task(limit.wait())
    await settle()
    first.cancel()
    await settle()
    limit.give_back()
    assert limit.free == 1


def test_a_queue_serves_one_loop_after_the_other(tasks: TaskBuilders, numbered: Numbered) -> None:
    """Nothing of a queue belongs to the loop it was first used in."""
    queue = AsyncTaskQueue(2)
    for _ in range(3):
        assert len(asyncio.run(queue.process_all(numbered(5, tasks.slow(0))))) == 5


def test_a_queue_outlives_a_loop_that_was_torn_down() -> None:
    """Places that were taken when a loop was closed over its tasks are free again in the next."""
    limit = Limit(1)

    async def take() -> None:
        limit.enter()
        limit.free -= 1

    async def see() -> int:
        limit.enter()
        return limit.free

    loop = asyncio.new_event_loop()
    loop.run_until_complete(take())
    loop.close()
    assert asyncio.run(see()) == 1


async def test_two_loops_at_once_are_refused(tasks: TaskBuilders, numbered: Numbered) -> None:
    """A call from a second loop says that the queue is in use, instead of waiting on the wrong loop."""
    queue = AsyncTaskQueue(1)
    run = asyncio.create_task(queue.process_all(numbered(1, tasks.never())))
    await settle()
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            asyncio.run(queue.process_task("a", tasks.slow(0)))
        except QueueInUseError as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "another event loop" in str(caught[0])
    run.cancel()
    await asyncio.wait([run])
    assert await queue.process_task("a", tasks.slow(0))
