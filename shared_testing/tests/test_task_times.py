"""When the tasks of a test ran: what is at once, and what is one after another."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.evidence import harmless
from shared_testing.loop import task_times
from shared_testing.loop.observer import LoopObserver
from shared_testing.loop.task_times import MOST_STEPS, MOST_TASKS, TaskRecorder, TaskTimes
from shared_testing.loop.virtual_clock import VirtualClockLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@pytest.fixture
def recorder() -> Iterator[TaskRecorder]:
    run = asyncio.Handle._run
    recorder = TaskRecorder()
    yield recorder
    recorder.uninstall()
    assert asyncio.Handle._run is run


async def fetch(number: int) -> int:
    await asyncio.sleep(number)
    return number


def seen(recorder: TaskRecorder, scenario: Callable[[], Coroutine[Any, Any, object]]) -> TaskTimes:
    observer = LoopObserver()
    recorder.install(observer)
    recorder.begin()
    recorder.counts_waits = True
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        observer.attach(runner.get_loop())
        runner.run(scenario())
    times = recorder.end()
    assert times is not None
    return times


async def in_a_row() -> None:
    for number in (1, 2, 3):
        await fetch(number)


async def tasks_in_a_row() -> None:
    for number in (1, 2, 3):
        await asyncio.create_task(fetch(number))


async def together() -> None:
    await asyncio.gather(*map(fetch, (1, 2, 3)))


async def one_more() -> None:
    await asyncio.create_task(fetch(1))


async def nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (in_a_row, "no task but the test's own, which waits 3 times, one after another"),
        (tasks_in_a_row, "3 tasks beside the test's own, never more than 1 at a time: one after another"),
        (together, "3 tasks beside the test's own, up to 3 at a time"),
        (one_more, "1 task beside the test's own"),
        (nothing, "no task but the test's own, which never waits"),
    ],
)
def test_it_is_said_in_one_sentence(
    recorder: TaskRecorder, scenario: Callable[[], Coroutine[Any, Any, object]], said: str
) -> None:
    """Sequential "concurrency" is what this is for."""
    assert str(seen(recorder, scenario)) == said


def test_each_task_has_its_times(recorder: TaskRecorder) -> None:
    """By the clock of the loop, from the first task on; what asyncio does at the end of a loop is left out."""
    times = seen(recorder, tasks_in_a_row)
    assert [(each.name, each.created, each.ended) for each in times.tasks] == [
        ("tasks_in_a_row", 0, 6),
        ("fetch", 0, 1),
        ("fetch", 1, 3),
        ("fetch", 3, 6),
    ]
    assert [each.is_outermost for each in times.tasks] == [True, False, False, False]
    assert times.until == 6


def test_a_wait_has_the_line_of_the_tasks_own_function(recorder: TaskRecorder) -> None:
    """What is awaited by what it awaits is the same for all."""
    (main,) = seen(recorder, in_a_row).tasks
    assert [site.source if site is not None else None for _, _, site in main.steps] == [
        "await fetch(number)",
        "await fetch(number)",
        "await fetch(number)",
        None,
    ]


def test_many_tasks_and_steps_are_counted(recorder: TaskRecorder) -> None:
    """The page stays small, and says what it leaves out."""

    async def many() -> None:
        async def turns() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        await asyncio.gather(*(turns() for _ in range(30)))

    times = seen(recorder, many)
    assert len(times.tasks) == MOST_TASKS
    assert times.more_tasks == 31 - MOST_TASKS
    assert sum(len(each.steps) for each in times.tasks) == MOST_STEPS
    # A step of each task more than it waits; two of the test's own.
    assert times.more_steps == (MOST_TASKS - 1) * 11 + 2 - MOST_STEPS
    assert (times.made, times.most_at_once) == (30, 30)


def test_a_loop_that_nobody_watches_is_seen_too(recorder: TaskRecorder) -> None:
    """A plain test may call asyncio.run()."""
    recorder.install(LoopObserver())
    recorder.begin()
    asyncio.run(one_more_at_once())
    times = recorder.end()
    assert times is not None
    assert [(each.name, each.is_outermost) for each in times.tasks] == [
        ("one_more_at_once", True),
        ("nothing", False),
    ]


async def one_more_at_once() -> None:
    await asyncio.create_task(nothing())


def test_no_task_is_kept_alive(recorder: TaskRecorder) -> None:
    """A task that is dropped must go when it would: others look for that."""
    known: list[weakref.ref[Any]] = []
    left: list[object] = []

    async def drops() -> None:
        task = asyncio.create_task(fetch(1))
        known.append(weakref.ref(task))
        await task
        del task
        # What has woken this task up holds the other one for one more step.
        await asyncio.sleep(0)
        gc.collect()
        left.append(known[0]())

    seen(recorder, drops)
    assert left == [None]


def test_outside_of_a_test_nothing_is_kept(recorder: TaskRecorder) -> None:
    """Not before the first, between two, nor behind the last."""
    recorder.install(LoopObserver())
    asyncio.run(one_more_at_once())
    recorder.begin()
    recorder.pause()
    asyncio.run(one_more_at_once())
    assert recorder.end() is None


def test_a_crash_of_ours_is_nobodys_failure(recorder: TaskRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program runs on; the summary says what went wrong."""

    def broken(_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(harmless, "crashes", [])
    monkeypatch.setattr(task_times, "_site", broken)
    assert seen(recorder, in_a_row).waits == 3
    assert harmless.crashes[0] == "TaskRecorder._ended() crashed: ValueError: broken"
