"""Permits are neither lost nor multiplied."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from queue_processor import Backoff, QueueProcessor
from queue_processor.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import VirtualClock


async def test_a_permit_goes_to_the_next_in_line(settle: Callable[[], Awaitable[None]]) -> None:
    """Who leaves and enters again at once comes after those who already wait."""
    gate, entered = Gate(1), []
    await gate.enter()

    async def enter() -> None:
        await gate.enter()
        entered.append("other")

    other = asyncio.create_task(enter())
    await settle()
    assert gate
    gate.leave()
    again = asyncio.create_task(gate.enter())
    await settle()
    assert entered == ["other"]
    assert not again.done()
    gate.leave()
    await asyncio.gather(other, again)


async def test_no_permit_is_lost_wherever_a_cancellation_falls(
    settle: Callable[[], Awaitable[None]], turns: Callable[[int], Awaitable[None]]
) -> None:
    """Cancelled after any number of turns, also when just handed a permit, a waiter leaves the count right."""
    for count in range(6):
        gate = Gate(1)
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
        await turns(1)
        gate.leave()
        await turns(count)
        waiting[0].cancel()
        await settle()
        held = sum(task.done() and not task.cancelled() for task in waiting)
        assert held + gate.free == 1
        if not waiting[1].done():
            gate.leave()
        await waiting[1]
        gate.leave()
        assert gate.free == 1


async def test_who_waits_for_a_retry_holds_up_no_other_call(virtual_clock: VirtualClock) -> None:
    """A permit is for handling, not for waiting."""
    finished = {}

    async def handle(item: str) -> str:
        if item == "bad" and virtual_clock.now < 0.001:
            raise ValueError(item)
        finished[item] = virtual_clock.now
        return item

    processor = QueueProcessor(handle, consumers=1, backoff=Backoff(first=30))
    await asyncio.gather(processor.process_all(["bad"]), processor.process_all(["good"]))
    assert finished["good"] == 0
    assert finished["bad"] > 0
