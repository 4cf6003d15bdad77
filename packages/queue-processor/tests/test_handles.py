"""One item in the background."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import BackgroundProcessor, Handle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def work(item: str) -> str:
    await asyncio.sleep(1)
    if item == "bad":
        raise ValueError(item)
    return item.upper()


async def test_a_handle_answers_like_a_task(virtual_clock: object) -> None:
    """done, result, exception, cancelled, before and after."""
    background = BackgroundProcessor(work)
    good, bad = background.start_processing(["good", "bad"])
    assert repr(good) == "<Handle pending: 'good'>"
    with pytest.raises(asyncio.InvalidStateError, match="not done yet"):
        good.result()
    assert await good == "GOOD"
    with pytest.raises(ValueError, match="bad"):
        await bad
    assert (good.done(), good.cancelled(), good.result(), good.exception()) == (True, False, "GOOD", None)
    assert isinstance(bad.exception(), ValueError)
    assert [repr(good), repr(bad)] == ["<Handle done: 'good'>", "<Handle failed: 'bad'>"]
    with pytest.raises(ExceptionGroup):
        await background.wait_for_completion()


async def test_cancelling_who_awaits_a_handle_does_not_cancel_the_item(
    virtual_clock: object, settle: Callable[[], Awaitable[None]]
) -> None:
    """A timeout around the wait is about the wait. (B7)"""
    background = BackgroundProcessor(work)
    (handle,) = background.start_processing(["a"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await handle
    assert not handle.cancelled()
    assert await handle == "A"


@pytest.mark.parametrize("position", [0, 1])
async def test_an_item_can_be_cancelled_in_work_or_waiting(position: int, virtual_clock: object) -> None:
    """The others go on, and a cancellation one has asked for is no failure."""
    background = BackgroundProcessor(work, max_concurrent=1)
    handles: list[Handle[Any]] = background.start_processing(["a", "b", "c"])
    await asyncio.sleep(0)
    assert handles[position].cancel()
    await background.wait_for_completion()
    assert [handle.cancelled() for handle in handles] == [number == position for number in range(3)]
    assert len(background.results) == 2
    assert not handles[position].cancel()
    with pytest.raises(asyncio.CancelledError):
        handles[position].result()
    assert repr(handles[position]).startswith("<Handle cancelled")
