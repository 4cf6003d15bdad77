"""A deadline that can be brought forward, and does not meddle with other cancellations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from user_client.time_limit import TimeLimit

if TYPE_CHECKING:
    from shared_testing import VirtualClock


def _limit(seconds: float) -> TimeLimit:
    loop = asyncio.get_running_loop()
    return TimeLimit(loop, loop.time() + seconds)


async def test_a_block_that_is_late_ends_quietly(virtual_clock: VirtualClock) -> None:
    """At the deadline the block is left, and the task is not cancelled."""
    with _limit(2) as limit:
        await asyncio.sleep(10)
    assert limit.expired
    assert virtual_clock.now == 2
    await asyncio.sleep(1)


async def test_a_block_in_time_is_left_alone(virtual_clock: VirtualClock) -> None:
    """The timer is gone with the block."""
    with _limit(2) as limit:
        await asyncio.sleep(1)
    await asyncio.sleep(5)
    assert not limit.expired


async def test_a_limit_can_be_brought_forward(virtual_clock: VirtualClock) -> None:
    """expire() ends the block where it waits; twice is once."""
    limits = []

    async def work() -> None:
        with _limit(60) as limit:
            limits.append(limit)
            await asyncio.sleep(50)

    task = asyncio.create_task(work())
    await asyncio.sleep(1)
    limits[0].expire()
    limits[0].expire()
    await task
    assert virtual_clock.now == 1
    assert task.cancelling() == 0


async def test_a_cancellation_from_elsewhere_goes_through(virtual_clock: VirtualClock) -> None:
    """Also when it comes in the moment in which the limit expires."""

    limits = []

    async def work() -> None:
        with _limit(1) as limit:
            limits.append(limit)
            await asyncio.sleep(50)

    for together in (False, True):
        task = asyncio.create_task(work())
        await asyncio.sleep(0.5)
        if together:
            limits[-1].expire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_error_of_the_block_goes_through(virtual_clock: VirtualClock) -> None:
    """Late or not."""

    async def work() -> None:
        with _limit(1):
            try:
                await asyncio.sleep(5)
            finally:
                raise KeyError

    with pytest.raises(KeyError):
        await work()
    await asyncio.sleep(0)


async def test_limits_nest(virtual_clock: VirtualClock) -> None:
    """The outer one ends both; the inner one only itself; asyncio.timeout around them is its own."""
    with _limit(3) as outer:
        with _limit(1) as inner:
            await asyncio.sleep(9)
        assert inner.expired
        await asyncio.sleep(9)
    assert outer.expired
    assert virtual_clock.now == 3


async def test_a_timeout_of_asyncio_around_it_is_its_own(virtual_clock: VirtualClock) -> None:
    """It raises its TimeoutError, and the limit inside has nothing to do with it."""
    limits = []

    async def work() -> None:
        async with asyncio.timeout(1):
            with _limit(5) as limit:
                limits.append(limit)
                await asyncio.sleep(9)

    with pytest.raises(TimeoutError):
        await work()
    assert not limits[0].expired


async def test_a_block_cannot_end_itself(virtual_clock: VirtualClock) -> None:
    """A cancellation that the block does not meet any more would hit what comes after it."""
    with _limit(5) as limit:
        limit.expire()
    await asyncio.sleep(1)
    assert not limit.expired
