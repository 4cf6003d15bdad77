"""Tasks that end together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import ConsumersGone, QueueProcessor
from queue_processor.crew import ended

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import TaskBuilders


def named(prefix: str) -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith(prefix)]


async def test_ended_waits_on_when_it_is_cancelled(settle: Callable[[], Awaitable[None]]) -> None:
    """A handler that is still cleaning up is not left behind; the cancellation comes out afterwards."""
    cleaned = asyncio.Event()

    async def stubborn() -> None:
        await cleaned.wait()

    task = asyncio.create_task(stubborn())
    waiting = asyncio.create_task(ended([task]))
    await settle()
    waiting.cancel()
    await settle()
    assert not waiting.done()
    cleaned.set()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert task.done()


async def test_the_others_make_up_for_a_consumer_that_somebody_cancelled(
    ledger: type[Any], settle: Callable[[], Awaitable[None]]
) -> None:
    """Its item is handled by another, and the call returns everything."""
    book = ledger(steps=5)
    call = asyncio.create_task(QueueProcessor(book, consumers=3).process_all(range(10)))
    for _ in range(3):
        await asyncio.sleep(0)
    named("queue-processor consumer 2")[0].cancel()
    assert await call == [f"done_{number}" for number in range(10)]
    assert book.started[1] == 2


async def test_without_any_consumer_left_the_call_says_so(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]]
) -> None:
    """It does not wait for ever for somebody to take the next item; what was not done is told."""
    processor = QueueProcessor(tasks.never(), maxsize=2)
    call = asyncio.create_task(processor.process_all(range(3)))
    await settle()
    named("queue-processor consumer")[0].cancel()
    with pytest.raises(ConsumersGone, match="cancelled by somebody else"):
        await call
    assert processor.unfinished == [0, 1, 2]


async def test_a_handler_that_swallows_the_cancellation_is_the_last_one(settle: Callable[[], Awaitable[None]]) -> None:
    """Its item counts as done, and its consumer does not go on with the next."""
    started = []

    async def handle(item: int) -> None:
        started.append(item)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    processor = QueueProcessor(handle)
    call = asyncio.create_task(processor.process_all(range(5)))
    await settle()
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()
    assert started == [0]
    assert processor.unfinished == [1, 2, 3, 4]
