"""Each bug of the corpus is found, replayed and explained; no twin and no trap is ever reported."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import re
import runpy
import threading
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing import explore
from shared_testing.exploration import Deadlock, Livelock, StaleToken

if TYPE_CHECKING:
    from collections.abc import Callable


def _in(*files: str) -> list[Any]:
    """The scenarios of these files, which stand beside this one."""
    modules = [runpy.run_path(str(Path(__file__).with_name(f"{file}.py")), run_name=file) for file in files]
    found = [each for module in modules for each in module.values() if inspect.iscoroutinefunction(each)]
    return [pytest.param(each, id=each.__name__) for each in found]


BUGS = _in("data_races", "rare_orders", "lost_progress", "coordination")
TRAPS = _in("traps")

CANCELLED = {"cancelled_in_the_middle", "cancelled_when_woken"}


def _how(bug: Any) -> dict[str, Any]:
    return {"cancel": "victim"} if bug.__name__ in CANCELLED else {}


@pytest.mark.parametrize("bug", BUGS)
def test_the_search_in_order_finds_it_and_its_token_replays_it(bug: Any) -> None:
    """Within 300 schedules, by the same token each time, and the twin is quiet."""
    found = explore(partial(bug, mended=False), schedules=300, **_how(bug))
    assert found.failure is not None
    assert found.token is not None
    assert len(found.token) <= 24
    assert not found.uncontrolled
    again = explore(partial(bug, mended=False), replay=found.token)
    assert type(again.failure) is type(found.failure)
    assert again.token == found.token
    assert str(explore(partial(bug, mended=True), schedules=300, **_how(bug)).failure) == "None"


@pytest.mark.parametrize("bug", BUGS)
def test_the_seeded_mix_finds_it(bug: Any) -> None:
    """Whatever the seed; and the twin stays quiet there too."""
    for seed in range(3):
        assert explore(partial(bug, mended=False), schedules=1000, seed=seed, **_how(bug)).failure is not None
    assert str(explore(partial(bug, mended=True), schedules=150, seed=1, **_how(bug)).failure) == "None"


def test_what_the_seeded_mix_finds_has_the_fewest_deviations() -> None:
    """Though it met it by many, and could not leave out any one of them."""
    (bug,) = (each.values[0] for each in BUGS if each.id == "sentinel_of_another")
    least = explore(partial(bug, mended=False)).deviations
    found = [explore(partial(bug, mended=False), schedules=1000, seed=seed) for seed in range(5)]
    assert [each.deviations for each in found] == [least] * 5
    assert [explore(partial(bug, mended=False), replay=each.token).failure is None for each in found] == [False] * 5


def test_each_order_of_five_tasks_is_met() -> None:
    """All 120 of them within 300 schedules, without a seed."""
    orders: set[tuple[int, ...]] = set()

    async def answers() -> None:
        order: list[int] = []

        async def answer(number: int) -> None:
            await asyncio.sleep(0.001 * number)
            order.append(number)

        await asyncio.gather(*map(answer, range(1, 6)))
        orders.add(tuple(order))

    assert explore(answers, schedules=300).failure is None
    assert len(orders) == 120


@pytest.mark.parametrize("trap", TRAPS)
def test_what_asyncio_documents_is_kept(trap: Any) -> None:
    """A program that relies on it is not reported, in order nor at random."""
    assert str(explore(trap, schedules=100).failure) == "None"
    assert str(explore(trap, schedules=100, seed=1).failure) == "None"


def test_a_pass_says_what_it_has_proved() -> None:
    """How many deviations are covered, and by how many runs."""

    async def answers() -> None:
        await asyncio.gather(*(asyncio.sleep(0.001 * number) for number in range(8)))

    result = explore(answers, schedules=300)
    assert result.complete == 1
    assert result.guarantee == "no failure in any schedule with at most 1 deviation (300 runs, complete)"
    result = explore(answers, schedules=20)
    assert result.complete == 0
    assert result.guarantee == "no failure in asyncio's own order (20 runs, complete)"


def test_the_report_names_the_steps_the_shared_thing_and_the_token() -> None:
    """Whoever reads it knows which await to guard."""
    text = str(explore(partial(BUGS[0].values[0], mended=False)))
    assert text.startswith('AT401 AssertionError in one order of arrivals: assert account["balance"] == 2')
    assert "await asyncio.sleep(0.002)" in text
    assert "1 deviation from asyncio's own order" in text
    assert len(text.splitlines()) <= 40


@pytest.mark.parametrize(
    ("bug", "shared"),
    [
        ("lost_update", "account: deposit#2 comes to it at 19, after it has waited at 18; deposit#3 looks at it at 17"),
        ("double_fetch", "cache: get#2 comes to it at 58, after it has waited at 56; get#3 changes it at 59"),
        ("changed_while_iterated", "members: broadcast looks at it at 113, before it waits at 114; leave changes it"),
    ],
)
def test_the_shared_thing_is_named(bug: str, shared: str) -> None:
    """What one task touches on both sides of its await, and another one meanwhile."""
    (scenario,) = (each.values[0] for each in BUGS if each.id == bug)
    assert shared in str(explore(partial(scenario, mended=False)))


def test_a_standstill_is_told_as_a_deadlock_with_its_schedule() -> None:
    """Who waits for whom, under which token."""
    (bug,) = (each.values[0] for each in BUGS if each.id == "locks_in_two_orders")
    result = explore(partial(bug, mended=False))
    assert isinstance(result.failure, Deadlock)
    assert result.finding is not None
    assert result.finding.rule.code == "AT402"
    assert re.fullmatch(r"deadlock: ('move \(Task-\d+\)')( waits for '.*'){2}", result.finding.symptom)
    assert all(", held by 'move (Task-" in each for each in result.finding.details[:2])
    assert f"token {result.token}" in str(result)


def test_a_livelock_is_told() -> None:
    """Tasks that poll for what nobody is left to change, and the line of the one that the test waits for."""
    ready = False

    async def poll() -> None:
        while not ready:  # noqa: ASYNC110 - that is the bug
            await asyncio.sleep(0)

    async def wait() -> None:
        await asyncio.create_task(poll())

    result = explore(wait)
    assert isinstance(result.failure, Livelock)
    assert result.finding is not None
    assert result.finding.symptom == ("livelock: 'poll' looks again and again, and nothing can change what it looks at")
    assert result.finding.site is not None
    assert result.finding.site.source == "await asyncio.sleep(0)"
    assert any(each.startswith("the test waits for") for each in result.finding.details)


def test_pollers_that_sleep_are_a_livelock_too() -> None:
    """Their time is virtual: they would poll for ever."""
    state = {"ready": False}

    async def poll() -> None:
        while not state["ready"]:  # noqa: ASYNC110 - that is the bug
            await asyncio.sleep(0.01)

    assert isinstance(explore(poll).failure, Livelock)


def test_a_heartbeat_does_not_hide_a_deadlock() -> None:
    """It keeps the loop awake, and nobody waits for it."""

    async def beat() -> None:
        while True:  # noqa: ASYNC110 - it is meant to
            await asyncio.sleep(0)

    async def wait() -> None:
        async with asyncio.TaskGroup() as group:
            beats = group.create_task(beat())
            await asyncio.Event().wait()
            beats.cancel()

    result = explore(wait)
    assert result.finding is not None
    assert result.finding.symptom.endswith("waits for an Event, and nobody is left to call set()")


def test_a_token_that_no_longer_fits_says_so() -> None:
    """A pass of other choices would prove nothing."""
    bug, other = (next(each.values[0] for each in BUGS if each.id == name) for name in ("two_windows", "lost_update"))
    token = explore(partial(bug, mended=False)).token
    with pytest.raises(StaleToken, match="no longer fits the code"):
        explore(partial(other, mended=True), replay=token)


def test_what_is_no_token_is_refused() -> None:
    """With the shape of one."""
    with pytest.raises(StaleToken, match="is no token: one looks like"):
        explore(asyncio.Event().wait, replay="nonsense")


def test_time_monotonic_is_the_time_of_the_loop() -> None:
    """What expires by the one agrees with what waits by the other, as in a test that pytest explores."""
    real = time.monotonic

    async def answers() -> None:
        await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(3600.01))
        assert time.monotonic() == asyncio.get_running_loop().time()

    assert explore(answers, schedules=5).failure is None
    assert time.monotonic is real


def test_a_program_that_throws_its_own_dice_is_told_as_uncontrolled() -> None:
    """State that survives from one run to the next makes them differ."""
    runs = 0

    async def answers() -> None:
        nonlocal runs
        runs += 1
        await asyncio.gather(*(asyncio.sleep(0.001 * number) for number in range(2 + runs)))

    result = explore(answers, schedules=5)
    assert "prove nothing" in result.guarantee
    (told,) = result.uncontrolled
    assert told.startswith("the same schedule ran differently, first at ")
    assert "test_explorer.py" in told


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (lambda: time.perf_counter_ns(), "no schedule decides time.perf_counter_ns() at "),
        (lambda: os.urandom(4)[0], "no schedule decides os.urandom() at "),
        (lambda: random.Random().getrandbits(30), "no schedule decides a Random of its own at "),
        (lambda: datetime.now(UTC).microsecond, "no schedule decides datetime.now() at "),
    ],
)
def test_what_decides_beside_the_schedule_is_named(source: Callable[[], int], named: str) -> None:
    """With the line that asks."""
    seen = 0

    async def answers() -> None:
        nonlocal seen
        # Never the same twice, whatever the source says.
        seen += 1 + 0 * source()
        await asyncio.gather(*(asyncio.sleep(0.001 * number) for number in range(2 + seen)))

    (told,) = explore(answers, schedules=5).uncontrolled
    assert named in told
    assert "test_explorer.py" in told.partition(named)[2]


def test_a_thread_that_posts_when_it_likes_is_named() -> None:
    """If the runs differ by it."""
    runs = 0

    async def answers() -> None:
        nonlocal runs
        runs += 1
        loop = asyncio.get_running_loop()
        came = loop.create_future()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(came.set_result, None), name="feeder")
        thread.start()
        await asyncio.gather(came, *(asyncio.sleep(0.001 * number) for number in range(2 + runs)))
        thread.join()

    (told,) = explore(answers, schedules=5).uncontrolled
    assert "no schedule decides when the thread 'feeder' posts to the loop" in told


def test_a_cancellation_needs_a_task_of_that_name() -> None:
    """Else a typing error would pass for a proof."""
    with pytest.raises(ValueError, match="no task of that name was created; the tasks are: none"):
        explore(partial(asyncio.sleep, 0.1), cancel="victim")


def test_a_cancellation_of_any_task_finds_it_too() -> None:
    """Without naming the victim; whom it hit is told."""
    (bug,) = (each.values[0] for each in BUGS if each.id == "cancelled_in_the_middle")
    result = explore(partial(bug, mended=False), cancel=True)
    assert result.cancelled.startswith("'victim' was cancelled while it waited at ")
    assert explore(partial(bug, mended=False), replay=result.token).failure is not None


def test_a_pass_says_which_cancellations_were_not_judged() -> None:
    """Whoever awaits its victim is cancelled with it, and asserts nothing."""

    async def wait() -> None:
        await asyncio.create_task(asyncio.sleep(0.1), name="victim")

    result = explore(wait, cancel="victim")
    assert result.guarantee == (
        "no failure in any schedule (3 runs, 2 with a cancellation, 2 of which ended the test before its assertions, "
        "complete)"
    )


def test_a_later_world_needs_more_lateness() -> None:
    """Answers 30 ms apart do not overtake each other by default."""
    order: list[int] = []

    async def answer(number: int) -> None:
        await asyncio.sleep(0.01 + 0.03 * number)
        order.append(number)

    async def answers() -> None:
        order.clear()
        await asyncio.gather(answer(0), answer(1))
        assert order == [0, 1]

    assert explore(answers).guarantee == (
        "no failure in any schedule (1 run, complete); "
        "what is due 30 ms apart kept its order: lateness=0.04 swaps that too"
    )
    with pytest.raises(ValueError, match=r"lateness=0.0405: give seconds, in whole milliseconds as a token does"):
        explore(answers, lateness=0.0405)
    late = explore(answers, lateness=0.04)
    assert late.failure is not None
    assert explore(answers, replay=late.token).failure is not None


def test_yields_last_only_on_request() -> None:
    """By default sleep(0) is a turn, as asyncio has it."""
    seen: list[str] = []

    async def play(name: str) -> None:
        for _ in range(2):
            seen.append(name)
            await asyncio.sleep(0)

    async def game() -> None:
        seen.clear()
        await asyncio.gather(play("a"), play("b"))
        assert "".join(seen) == "abab"

    assert explore(game).failure is None
    found = explore(game, lasting_yields=True)
    assert found.failure is not None
    assert explore(game, replay=found.token).failure is not None


def test_the_timeline_is_a_picture_too() -> None:
    """A lane for each task, and what deviates is marked."""
    svg = explore(partial(BUGS[0].values[0], mended=False)).timeline.svg
    assert svg.startswith("<svg ")
    assert svg.count('class="deviates ') == 1
    assert "deposit#2" in svg
    assert "await asyncio.sleep(0.002)" in svg
