"""The bound: fair, and without a permit lost or gained."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_client.permits import Permits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Settle = Callable[[], Awaitable[None]]


async def _acquire(permits: Permits, *, urgent: bool = False) -> None:
    if not permits.take():
        await permits.wait(urgent=urgent)


async def _waiters(permits: Permits, count: int, served: list[int], settle: Settle) -> list[asyncio.Task[None]]:
    async def wait(number: int) -> None:
        await _acquire(permits)
        served.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in range(count)]
    await settle()
    return tasks


async def test_who_came_first_is_served_first(settle: Settle) -> None:
    """A permit goes to the longest waiter, and cannot be snatched by a newcomer."""
    permits, served = Permits(1), list[int]()
    await _acquire(permits)
    tasks = await _waiters(permits, 3, served, settle)
    permits.release()
    newcomer = asyncio.create_task(_acquire(permits))
    for _ in range(3):
        await settle()
        permits.release()
    await asyncio.gather(newcomer, *tasks)
    assert served == [0, 1, 2]


async def test_the_urgent_go_to_the_head(settle: Settle) -> None:
    """A login is not queued behind the calls that wait for it."""
    permits, served = Permits(1), list[int]()
    await _acquire(permits)
    tasks = await _waiters(permits, 2, served, settle)
    urgent = asyncio.create_task(_acquire(permits, urgent=True))
    await settle()
    permits.release()
    await settle()
    assert urgent.done()
    assert served == []
    for _ in tasks:
        permits.release()
        await settle()
    assert served == [0, 1]


async def test_a_permit_given_to_a_cancelled_waiter_goes_on(settle: Settle) -> None:
    """Cancelled after it was woken, before it ran: the next in line has the permit."""
    permits, served = Permits(1), list[int]()
    await _acquire(permits)
    tasks = await _waiters(permits, 3, served, settle)
    permits.release()
    tasks[0].cancel()
    tasks[1].cancel()
    await settle()
    assert served == [2]
    permits.release()
    assert permits.free == 1


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from(["enter", "leave", "cancel", "run"]), st.integers(0, 9))))
def test_permits_are_conserved(limit: int, steps: list[tuple[str, int]]) -> None:
    """Whatever the order of arrivals, departures and cancellations: never over the limit, and all free at the end."""

    async def scenario() -> None:
        permits = Permits(limit)
        inside = 0
        leave = [asyncio.Event() for _ in range(10)]
        tasks: dict[int, asyncio.Task[None]] = {}

        async def visit(number: int) -> None:
            nonlocal inside
            await _acquire(permits)
            inside += 1
            assert inside <= limit
            try:
                await leave[number].wait()
            finally:
                inside -= 1
                permits.release()

        for step, number in steps:
            if step == "enter" and number not in tasks:
                tasks[number] = asyncio.create_task(visit(number))
            elif step == "leave":
                leave[number].set()
            elif step == "cancel" and number in tasks:
                tasks[number].cancel()
            elif step == "run":
                await asyncio.sleep(0)
        for event in leave:
            event.set()
        for outcome in await asyncio.gather(*tasks.values(), return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
        assert permits.free == limit

    asyncio.run(scenario())


async def test_a_wait_can_be_cancelled(settle: Settle) -> None:
    """The cancelled waiter leaves the queue as it was."""
    permits = Permits(1)
    await _acquire(permits)
    task = asyncio.create_task(_acquire(permits))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    permits.release()
    assert permits.free == 1
