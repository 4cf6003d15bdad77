"""What the calls of one processor share."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import QueueProcessor, WrongEventLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from shared_testing import TaskBuilders


def test_two_open_loops_at_once_are_refused(tasks: TaskBuilders) -> None:
    """While a processor is at work in one loop, another gets an error in every way of using it. (Q10)"""
    processor = QueueProcessor(tasks.never())

    async def enter() -> None:
        async with processor:
            pass

    with asyncio.Runner() as first:
        call = first.get_loop().create_task(processor.process_all(["x"]))
        first.run(asyncio.sleep(0))
        for use in (lambda: processor.process_all([]), lambda: processor.producer([]), processor.consumer, enter):
            with pytest.raises(WrongEventLoop, match="one processor per event loop"):
                asyncio.run(use())
        call.cancel()
        first.run(asyncio.wait([call]))


def test_a_loop_that_is_open_but_idle_is_no_obstacle(ledger: type[Any]) -> None:
    """A processor belongs to no loop while it is not at work; items that wait go along. (Q10)"""
    processor = QueueProcessor(ledger())
    with asyncio.Runner() as first:
        first.run(processor.queue.put("a"))
        processor.queue.close()

        def elsewhere() -> None:
            asyncio.run(processor.consumer())

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert processor.results == ["done_a"]


async def test_unfinished_is_in_the_order_of_acceptance(ledger: type[Any]) -> None:
    """Items in work stand among the waiting ones where they came in."""
    processor = QueueProcessor(ledger(steps=50), consumers=2)
    async with processor:
        for item in "abcd":
            await processor.put(item)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert processor.queue.qsize() == 2
        assert processor.unfinished == list("abcd")


async def test_what_a_cut_call_left_is_told_until_the_next_one(ledger: type[Any]) -> None:
    """Of several calls that were cut short, all is told."""
    processor = QueueProcessor(ledger(steps=50))
    calls = [asyncio.create_task(processor.process_all(items)) for items in ("ab", "cd")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert sorted(processor.unfinished) == list("abcd")
    await processor.process_all([])
    assert processor.unfinished == []


def abandoned(tasks: TaskBuilders) -> tuple[QueueProcessor[Any, Any], list[asyncio.Task[Any]]]:
    """A processor that was at work in every way when its loop was closed; its tasks are kept from the garbage."""
    processor: QueueProcessor[Any, Any] = QueueProcessor(tasks.slow(0, "done"), maxsize=1)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # it would complain of its pending tasks
    work = (processor.consumer(), processor.process_all([1, 2]), processor.__aenter__())
    stuck: list[asyncio.Task[Any]] = [loop.create_task(one) for one in work]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return processor, stuck


async def by_hand(processor: QueueProcessor[Any, Any]) -> None:
    await processor.queue.put("a")
    processor.queue.close()
    await processor.consumer()
    assert processor.results == ["done"]


async def nothing_by_hand(processor: QueueProcessor[Any, Any]) -> None:
    processor.queue.close()
    await processor.consumer()


async def call(processor: QueueProcessor[Any, Any]) -> None:
    assert await processor.process_all("bc") == ["done", "done"]


async def serve(processor: QueueProcessor[Any, Any]) -> None:
    async with processor:
        await processor.put("d")
        await processor.join()


@pytest.mark.parametrize("use", [by_hand, nothing_by_hand, call, serve])
def test_a_loop_that_was_closed_amid_the_work_is_no_obstacle(
    use: Callable[[QueueProcessor[Any, Any]], Coroutine[Any, Any, None]], tasks: TaskBuilders
) -> None:
    """Who was at work in it never comes back, so nobody waits for them. (Q10)"""
    processor, stuck = abandoned(tasks)
    asyncio.run(use(processor))
    assert not any(task.done() for task in stuck[:2])
