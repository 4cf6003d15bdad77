"""The shape of asyncio.Queue, plus an end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import ItemFailed, QueueClosed, QueueProcessor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def test_it_can_be_used_as_an_asyncio_queue(settle: Callable[[], Awaitable[None]]) -> None:
    """put, get, their nowait forms, sizes, task_done and join."""
    queue = QueueProcessor(maxsize=2).queue
    await queue.put("a")
    queue.put_nowait("b")
    assert (queue.maxsize, queue.qsize(), queue.full(), queue.empty()) == (2, 2, True, False)
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait("c")
    assert (await queue.get(), queue.get_nowait(), queue.empty()) == ("a", "b", True)
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    join = asyncio.create_task(queue.join())
    queue.task_done()
    await settle()
    assert not join.done()
    queue.task_done()
    await join
    with pytest.raises(ValueError, match="more often than get"):
        queue.task_done()


async def test_what_somebody_else_took_does_not_keep_consumers_waiting(ledger: type[Any]) -> None:
    """An item taken by get() and never marked as done cannot come back, so the end does not wait for it."""
    processor = QueueProcessor(ledger())
    for item in "ab":
        await processor.queue.put(item)
    assert await processor.queue.get() == "a"
    processor.queue.close()
    await processor.consumer()
    assert processor.results == ["done_b"]


async def test_get_says_when_nothing_will_come() -> None:
    """After the end it raises instead of waiting for ever."""
    queue = QueueProcessor().queue
    await queue.put(None)
    with pytest.raises(QueueClosed, match="ended"):
        await queue.get()


async def test_an_item_after_the_end_begins_a_new_input(ledger: type[Any]) -> None:
    """It is neither refused nor overlooked: the next consumer has it."""
    processor = QueueProcessor(ledger())
    await processor.producer("a")
    await processor.queue.put("b")
    processor.queue.put_nowait(None)
    await processor.consumer()
    assert processor.results == ["done_a", "done_b"]


async def test_after_a_shutdown_nothing_is_accepted() -> None:
    """Whoever puts learns that nobody will come for it, also who was waiting for room."""
    processor = QueueProcessor(maxsize=1)
    await processor.queue.put("a")
    waiting = asyncio.create_task(processor.queue.put("b"))
    await asyncio.sleep(0)
    assert await processor.shutdown() == ["a"]
    with pytest.raises(QueueClosed):
        await waiting
    with pytest.raises(QueueClosed):
        await processor.queue.put("c")
    with pytest.raises(QueueClosed):
        processor.queue.put_nowait("c")


async def test_repr_says_how_it_stands() -> None:
    """State and numbers."""
    queue = QueueProcessor(maxsize=2).queue
    queue.put_nowait("secret")
    assert repr(queue) == "<ItemQueue open: 1 of 2 waiting, 1 unfinished>"
    queue.close()
    assert repr(queue) == "<ItemQueue ended: 1 of 2 waiting, 1 unfinished>"


async def test_by_hand_a_failure_for_good_reaches_who_joins_and_who_puts(ledger: type[Any]) -> None:
    """Nobody is left waiting for a consumer that has stopped."""
    processor = QueueProcessor(ledger(fail={"bad"}), attempts=1, maxsize=2, on_failure="raise")
    for item in ("bad", "x"):
        await processor.queue.put(item)
    others = [asyncio.create_task(processor.queue.join()), asyncio.create_task(processor.queue.put("y"))]
    await asyncio.sleep(0)
    results = await asyncio.gather(processor.consumer(), *others, return_exceptions=True)
    assert isinstance(results[0], ItemFailed)
    assert isinstance(results[1], ItemFailed)


async def test_the_queue_cannot_be_replaced() -> None:
    """The error says how to bound it."""
    with pytest.raises(AttributeError, match="maxsize"):
        QueueProcessor().queue = asyncio.Queue(1)
