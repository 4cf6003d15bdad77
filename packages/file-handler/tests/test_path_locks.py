"""One holder of a key at a time: in order, across loops and threads, whatever is cancelled."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from file_handler import WriteInsideWrite
from file_handler.path_locks import PathLocks, Turnstile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine


async def test_holders_come_in_the_order_of_asking(settle: Callable[[], Awaitable[None]]) -> None:
    """First come, first served."""
    locks, order = PathLocks(), list[int]()

    async def hold(number: int) -> None:
        await locks.acquire("f")
        order.append(number)
        await asyncio.sleep(0)
        locks.release("f")

    await asyncio.gather(*(hold(number) for number in range(20)))
    assert order == list(range(20))
    assert len(locks) == 0


@pytest.mark.explore(schedules=60, cancel="victim")
async def test_wherever_a_holder_is_cancelled_the_turn_goes_on() -> None:
    """While it waits, when it has just got its turn, and while it holds: never two at once, and no turn is lost."""
    locks, holding, peak = PathLocks(), 0, 0

    async def hold() -> None:
        nonlocal holding, peak
        await locks.acquire("f")
        try:
            holding += 1
            peak = max(peak, holding)
            await asyncio.sleep(0.01)
        finally:
            holding -= 1
            locks.release("f")

    holders = [asyncio.create_task(hold(), name=name) for name in ("first", "victim", "last")]
    await asyncio.wait(holders)
    assert holders[-1].exception() is None
    assert peak == 1
    assert len(locks) == 0


async def test_other_keys_do_not_wait() -> None:
    """A lock is of one path."""
    locks = PathLocks()
    await locks.acquire("f")
    await locks.acquire("g")
    assert len(locks) == 2
    locks.release("f")
    locks.release("g")
    assert len(locks) == 0


@pytest.mark.parametrize("released_first", [False, True])
async def test_a_cancelled_wait_loses_no_turn(released_first: bool, settle: Callable[[], Awaitable[None]]) -> None:
    """Whether it is cancelled while it waits or just after it got its turn, the next one comes."""
    locks = PathLocks()
    await locks.acquire("f")
    first, second = (asyncio.create_task(locks.acquire("f")) for _ in range(2))
    await settle()
    if released_first:
        locks.release("f")
        first.cancel()
    else:
        first.cancel()
        locks.release("f")
    await second
    assert first.cancelled()
    locks.release("f")
    assert len(locks) == 0


async def test_a_loop_that_was_closed_gets_no_turn(settle: Callable[[], Awaitable[None]]) -> None:
    """A wait that was abandoned with its loop does not lock the path for ever."""
    turnstile = Turnstile(1)
    await turnstile.enter()

    def wait_in_a_loop_that_ends() -> None:
        loop = asyncio.new_event_loop()
        waiting = turnstile.enter()
        loop.call_soon(loop.stop)
        task = loop.create_task(waiting)
        loop.run_forever()
        loop.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        left_behind.append(waiting)

    left_behind: list[Coroutine[Any, Any, None]] = []
    thread = threading.Thread(target=wait_in_a_loop_that_ends)
    thread.start()
    thread.join()
    turnstile.leave()
    assert turnstile._free == 1
    left_behind.pop().close()
    assert turnstile._free == 1


async def test_two_loops_exclude_each_other(settle: Callable[[], Awaitable[None]]) -> None:
    """The lock is the process's: a loop in another thread waits, and is woken from here."""
    locks, got = PathLocks(), threading.Event()
    await locks.acquire("f")

    async def other() -> None:
        await locks.acquire("f")
        got.set()
        locks.release("f")

    thread = threading.Thread(target=lambda: asyncio.run(other()))
    thread.start()
    while locks._locks["f"].users < 2:  # noqa: ASYNC110 - a thread that waits cannot say so
        await asyncio.sleep(0)
    assert not got.is_set()
    locks.release("f")
    await asyncio.to_thread(thread.join)
    assert got.is_set()


async def test_waiting_for_oneself_is_an_error() -> None:
    """It would never end; once the key is given back in the background, waiting is right."""
    locks = PathLocks()
    await locks.acquire("f")
    with pytest.raises(WriteInsideWrite, match="already writing"):
        await locks.acquire("f")
    locks.disown("f")
    asyncio.get_running_loop().call_soon(locks.release, "f")
    await locks.acquire("f")
    locks.release("f")


async def test_a_turnstile_lets_that_many_in(settle: Callable[[], Awaitable[None]]) -> None:
    """Not one more, and none is lost."""
    turnstile, inside, peak = Turnstile(3), 0, 0

    async def pass_through() -> None:
        nonlocal inside, peak
        await turnstile.enter()
        inside += 1
        peak = max(peak, inside)
        await asyncio.sleep(0)
        inside -= 1
        turnstile.leave()

    await asyncio.gather(*(pass_through() for _ in range(20)))
    assert (inside, peak) == (0, 3)
