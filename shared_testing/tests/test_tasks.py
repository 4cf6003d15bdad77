"""The task builders: what they do, and what they count."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock


async def test_slow_takes_its_time_and_counts_the_peak(tasks: TaskBuilders, virtual_clock: VirtualClock) -> None:
    """Three at once take as long as one, and the peak says that they were three."""
    slow = tasks.slow(2, "done")
    assert set(await asyncio.gather(slow(1), slow(2), slow(3))) == {"done"}
    assert virtual_clock.now == 2
    assert (slow.peak, slow.running, slow.succeeded) == (3, 0, 3)


async def test_the_arguments_of_each_call_are_kept(tasks: TaskBuilders) -> None:
    """A builder takes whatever it is called with, so that it stands in for any function."""
    slow = tasks.slow(0)
    await slow("a", key=1)
    assert slow.arguments == [(("a",), {"key": 1})]


async def test_failing_raises_each_time(tasks: TaskBuilders) -> None:
    """The error is the one that was given, and every call counts as failed."""
    failing = tasks.failing(ValueError("no"))
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await failing()
    assert (failing.failed, failing.succeeded) == (2, 0)


async def test_flaky_recovers(tasks: TaskBuilders) -> None:
    """The first two calls fail, all later ones succeed."""
    flaky = tasks.flaky(2, ConnectionError("down"), "up")
    outcomes = await asyncio.gather(*(flaky() for _ in range(4)), return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["ConnectionError", "ConnectionError", "str", "str"]


async def test_does_what_it_is_told(tasks: TaskBuilders) -> None:
    """A function of the test's own, async or not, counted like the others."""

    def half(number: int, *, of: int) -> float:
        return of / number

    async def swap(first: int, second: int) -> tuple[int, int]:
        return second, first

    halves, swaps = tasks.does(half), tasks.does(swap, turns=3)
    first, second = await asyncio.gather(halves(2, of=6), halves(1, of=1))
    assert (first, second) == (3, 1)
    assert await swaps(1, 2) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        await halves(0, of=1)
    assert (halves.calls, halves.peak, halves.succeeded, halves.failed) == (3, 2, 2, 1)
    assert repr(swaps) == "<tasks.does(swap, turns=3): 1 called, 1 at once at most, 1 succeeded>"


async def test_never_counts_its_cancellation(tasks: TaskBuilders, virtual_clock: VirtualClock) -> None:
    """It waits until it is cancelled, however long that takes, and passes the cancellation on."""
    never = tasks.never()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(never(), 86400)
    assert (never.cancelled, never.running) == (1, 0)


async def test_every_builder_gives_the_loop_a_turn(tasks: TaskBuilders) -> None:
    """A stand-in that returned without suspending would hide every race behind it."""
    turns: list[str] = []
    for builder in (tasks.slow(0), tasks.flaky(0, ValueError()), tasks.does(str)):
        other = asyncio.ensure_future(asyncio.sleep(0))
        other.add_done_callback(lambda _: turns.append("other"))
        await asyncio.gather(builder(), other)
    assert turns == ["other"] * 3


async def test_the_repr_tells_what_happened(tasks: TaskBuilders) -> None:
    """A failing assertion on a builder can be read without a debugger: what it is, and what it has counted."""
    slow, flaky, never = tasks.slow(0, "done"), tasks.flaky(1, OSError("busy"), 3), tasks.never()
    await asyncio.gather(slow(), slow(), flaky(), flaky(), return_exceptions=True)
    waiting = asyncio.create_task(never())
    await asyncio.sleep(0)
    assert repr(never) == "<tasks.never(): 1 called, 1 running, 1 at once at most>"
    waiting.cancel()
    await asyncio.wait([waiting])
    assert repr(slow) == "<tasks.slow(0, 'done'): 2 called, 2 at once at most, 2 succeeded>"
    assert repr(flaky) == "<tasks.flaky(1, OSError('busy'), 3): 2 called, 2 at once at most, 1 succeeded, 1 failed>"
    assert repr(never) == "<tasks.never(): 1 called, 1 at once at most, 1 cancelled>"
    assert repr(tasks.failing(KeyError, after=1.5)) == "<tasks.failing(KeyError, after=1.5): 0 called>"
