from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing import settle
from task_queue import AsyncTaskQueue, Status, TaskCancelledError

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock

Numbered = Callable[..., list[Any]]
Others = Callable[[], set[asyncio.Task[Any]]]


async def test_fail_fast_ends_the_others_first(
    virtual_clock: VirtualClock, tasks: TaskBuilders, others: Others
) -> None:
    """When the first error is raised, the other tasks were cancelled and have ended, clean-up included (T1)."""
    cleaned: list[str] = []

    async def careful(clean_up: float) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(clean_up)
            cleaned.append("up")

    queue = AsyncTaskQueue(3, on_error="raise")
    failing = tasks.failing(ValueError("Task failed: b"), after=1)
    with pytest.raises(ValueError, match="Task failed: b"):
        await queue.process_all([("a", careful, (3,), {}), ("b", failing, (), {}), ("c", careful, (4,), {})])
    assert cleaned == ["up", "up"]
    assert others() == set()
    assert [(result.task_id, result.status.value) for result in queue.results] == [
        ("b", "failed"), ("a", "cut_off"), ("c", "cut_off"),
    ]  # fmt: skip


async def test_nothing_starts_after_a_failure(
    virtual_clock: VirtualClock, tasks: TaskBuilders, numbered: Numbered
) -> None:
    """A call that has failed starts no further task, neither before nor after it has raised (T1b)."""
    slow = tasks.slow(1)
    queue = AsyncTaskQueue(1, on_error="raise")
    with pytest.raises(ValueError, match="bad"):
        await queue.process_all([("bad", tasks.failing(ValueError("bad")), (), {}), *numbered(5, slow)])
    await virtual_clock.advance(100)
    assert slow.calls == 0
    assert [result.status for result in queue.results[1:]] == [Status.NEVER_STARTED] * 5


async def test_other_errors_are_told_along(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """Errors beside the first one are in its notes and in the results (T2)."""

    async def spiteful(number: int) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise KeyError(number)

    queue = AsyncTaskQueue(3, on_error="raise")
    with pytest.raises(ValueError, match="first") as caught:
        await queue.process_all(
            [("a", spiteful, (1,), {}), ("b", tasks.failing(ValueError("first")), (), {}), ("c", spiteful, (2,), {})]
        )
    (note,) = caught.value.__notes__
    assert "'a': KeyError(1)" in note
    assert "'c': KeyError(2)" in note
    assert [result.status for result in queue.results] == [Status.FAILED] * 3


async def test_a_task_that_is_cancelled_fails_fast_as_an_error(tasks: TaskBuilders) -> None:
    """In fail-fast mode a task's own CancelledError does not look like the caller's (T7)."""
    queue = AsyncTaskQueue(on_error="raise")
    with pytest.raises(TaskCancelledError, match="task 'a'"):
        await queue.process_all([("a", tasks.failing(asyncio.CancelledError), (), {})])


async def test_the_callers_cancellation_goes_before_a_failure(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """Cancelled while it waits for the others' clean-up, a failed call ends as cancelled: that is not lost."""

    async def careful() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(3)

    failing = tasks.failing(ValueError, after=1)
    queue = AsyncTaskQueue(on_error="raise")
    run = asyncio.create_task(queue.process_all([("a", careful, (), {}), ("b", failing, (), {})]))
    await virtual_clock.advance(2)
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("on_error", ["collect", "raise"])
async def test_an_interrupt_ends_the_run(interrupt: type[BaseException], on_error: Any, tasks: TaskBuilders) -> None:
    """What is no Exception is raised by the call in either mode, after the others have been cancelled."""
    never = tasks.never()

    async def interrupted() -> None:
        await settle()
        raise interrupt("from a task")

    queue = AsyncTaskQueue(2, on_error=on_error)
    with pytest.raises(interrupt, match="from a task"):
        await queue.process_all([("n", never, (), {}), ("i", interrupted, (), {})])
    assert (never.cancelled, never.running) == (1, 0)


async def test_an_interrupt_goes_before_an_error(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """A SystemExit during the clean-up after an error is what is raised."""

    async def leaving() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        await AsyncTaskQueue(on_error="raise").process_all(
            [("a", leaving, (), {}), ("b", tasks.failing(ValueError("first")), (), {})]
        )
    assert "ValueError('first')" in caught.value.__notes__[0]


async def test_a_task_that_swallows_a_cancellation_gets_the_next(virtual_clock: VirtualClock, others: Others) -> None:
    """Each cancellation of the caller is passed on; the call returns when the tasks have ended, not before."""
    caught = 0

    async def stubborn() -> None:
        nonlocal caught
        while caught < 3:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                caught += 1

    queue = AsyncTaskQueue()
    run = asyncio.create_task(queue.process_all([("a", stubborn, (), {}), ("b", stubborn, (), {})]))
    await settle()
    for _ in range(2):
        run.cancel()
        await settle()
    assert run.cancelled()
    assert others() == set()
    assert [result.status for result in queue.results] == [Status.FINISHED] * 2


async def test_workers_are_not_run_inside_each_other(numbered: Numbered, tasks: TaskBuilders) -> None:
    """An eager task factory does not nest a thousand workers into one call stack."""
    loop = asyncio.get_running_loop()
    eager = getattr(asyncio, "eager_task_factory", None)
    loop.set_task_factory(eager)
    try:
        results = await AsyncTaskQueue(2000).process_all(numbered(3000, tasks.slow(0)))
    finally:
        loop.set_task_factory(None)
    assert all(result.succeeded for result in results)


async def test_an_exit_is_not_lost_to_a_cancellation(virtual_clock: VirtualClock) -> None:
    """A SystemExit from the clean-up of a cancelled run is raised."""

    async def leaving() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise SystemExit(3)

    async def call() -> None:
        async with asyncio.timeout(1):
            await AsyncTaskQueue().process_all([("a", leaving, (), {})])

    with pytest.raises(SystemExit):
        await call()


async def test_an_error_that_forbids_attributes_is_reported(tasks: TaskBuilders) -> None:
    """A frozen exception class can be collected and raised like any other."""

    @dataclass(frozen=True)
    class FrozenError(Exception):
        code: int

    async def fail() -> None:
        raise FrozenError(5)

    async def fail_on_the_way_out() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise KeyError

    assert (await AsyncTaskQueue().process_task("a", fail)).error == FrozenError(5)
    with pytest.raises(FrozenError):
        await AsyncTaskQueue(on_error="raise").process_all([("b", fail_on_the_way_out, (), {}), ("a", fail, (), {})])


def test_a_loop_that_ends_takes_a_forgotten_stream_along(tasks: TaskBuilders, numbered: Numbered) -> None:
    """``asyncio.run`` ends although a stream was left open, and nothing is reported as lost."""
    never = tasks.never()
    kept = []

    async def main() -> None:
        stream = AsyncTaskQueue().stream([("a", asyncio.sleep, (0,), {}), *numbered(5, never)])
        kept.append(stream)
        await anext(stream)

    asyncio.run(main())
    assert never.running == 0
