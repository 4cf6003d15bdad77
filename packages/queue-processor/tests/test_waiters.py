"""Wake-ups are never lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from queue_processor import WrongEventLoop
from queue_processor.waiters import Waiters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def test_waiters_are_woken_in_the_order_in_which_they_came(settle: Callable[[], Awaitable[None]]) -> None:
    """First come, first woken."""
    waiters, woken = Waiters(), []

    async def wait(name: str) -> None:
        await waiters.wait()
        woken.append(name)

    tasks = [asyncio.create_task(wait(name)) for name in "abc"]
    await settle()
    assert waiters.wake_one()
    await settle()
    assert woken == ["a"]
    waiters.wake_all()
    await asyncio.gather(*tasks)
    assert woken == ["a", "b", "c"]
    assert not waiters.wake_one()


async def test_a_wake_up_survives_the_cancellation_of_who_was_woken(settle: Callable[[], Awaitable[None]]) -> None:
    """Woken and cancelled in the same turn, a waiter passes the wake-up on to the next one."""
    waiters = Waiters()
    first, second = (asyncio.create_task(waiters.wait()) for _ in range(2))
    await settle()
    waiters.wake_one()
    first.cancel()
    await settle()
    assert first.cancelled()
    assert second.done()
    await second


async def test_a_cancelled_waiter_is_no_longer_in_line(settle: Callable[[], Awaitable[None]]) -> None:
    """A wake-up is not spent on somebody who has left."""
    waiters = Waiters()
    first, second = (asyncio.create_task(waiters.wait()) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert len(waiters) == 1
    waiters.wake_one()
    await second


def test_waiters_of_a_closed_loop_are_forgotten() -> None:
    """Who waited in a loop that was closed can never be woken, and does not stand in anybody's way."""
    waiters = Waiters()
    loop = asyncio.new_event_loop()
    stuck = loop.create_task(waiters.wait())
    loop.run_until_complete(asyncio.sleep(0))
    stuck_waiter = waiters[0]
    stuck.cancel()
    loop.run_until_complete(asyncio.gather(stuck, return_exceptions=True))
    waiters.append(stuck_waiter.get_loop().create_future())
    loop.close()

    async def wait_and_wake() -> None:
        task = asyncio.create_task(waiters.wait())
        await asyncio.sleep(0)
        assert waiters.wake_one()
        await task

    asyncio.run(wait_and_wake())


def test_a_second_open_loop_is_refused() -> None:
    """Futures of two live loops in one line would wake nobody: that is said, not hung on."""
    waiters = Waiters()
    with asyncio.Runner() as first:
        task = first.get_loop().create_task(waiters.wait())
        first.run(asyncio.sleep(0))
        with pytest.raises(WrongEventLoop, match="another event loop"):
            asyncio.run(waiters.wait())
        task.cancel()
