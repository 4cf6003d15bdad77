from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

import task_queue
from shared_testing import settle
from task_queue import AsyncTaskQueue

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock

Numbered = Callable[..., list[Any]]


async def test_results_are_in_input_order(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """process_all returns as many results as tasks, in their order, whichever ended first."""
    source: Any = [(name, tasks.slow(seconds, name), (), {}) for name, seconds in (("a", 3), ("b", 1), ("c", 2))]
    queue = AsyncTaskQueue(3)
    assert [result.result for result in await queue.process_all(source)] == ["a", "b", "c"]
    assert [result.result for result in queue.results] == ["b", "c", "a"]
    assert virtual_clock.now == 3


@pytest.mark.explore(schedules=60)
async def test_whoever_ends_first_each_task_runs_once_and_the_limit_holds(tasks: TaskBuilders) -> None:
    """In every order in which the tasks may end, two calls at once share the places, and none is left free."""
    queue = AsyncTaskQueue(2)
    slow = [tasks.slow(0.01 + number / 1000, number) for number in range(4)]
    calls: list[list[Any]] = [[(number, slow[number], (), {}) for number in some] for some in ((0, 1), (2, 3))]
    first, second = await asyncio.gather(*(queue.process_all(call) for call in calls))
    assert [result.result for result in (*first, *second)] == [0, 1, 2, 3]
    assert [each.calls for each in slow] == [1] * 4
    # A place that was lost would be missing here.
    again = tasks.slow(1)
    await queue.process_all([(number, again, (), {}) for number in range(2)])
    assert again.peak == 2


@pytest.mark.explore(schedules=60, cancel="call")
async def test_wherever_a_call_is_cancelled_its_places_are_free_again(tasks: TaskBuilders) -> None:
    """Nothing of it runs on, and the queue is as good as new."""
    queue = AsyncTaskQueue(2)
    slow = tasks.slow(0.01)
    call = asyncio.create_task(queue.process_all([(number, slow, (), {}) for number in range(3)]), name="call")
    await asyncio.wait([call])
    assert slow.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    again = tasks.slow(1)
    await queue.process_all([(number, again, (), {}) for number in range(2)])
    assert again.peak == 2


async def test_arguments_are_passed_on(tasks: TaskBuilders) -> None:
    """Positional and keyword arguments reach the function as given."""
    slow = tasks.slow(0)
    await AsyncTaskQueue().process_all([("a", slow, (1, 2), {"x": 3})])
    await AsyncTaskQueue().process_task("a", slow, 4, y=5)
    assert slow.arguments == [((1, 2), {"x": 3}), ((4,), {"y": 5})]


async def test_errors_are_collected(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """One failing task does not lose the others."""
    error = ValueError("bad")
    good, bad = await AsyncTaskQueue().process_all(
        [("g", tasks.slow(1, 1), (), {}), ("b", tasks.failing(error), (), {})]
    )
    assert (good.result, good.succeeded, good.error) == (1, True, None)
    assert (bad.result, bad.succeeded, bad.error) == (None, False, error)


async def test_nothing_to_do() -> None:
    """No tasks, no results."""
    assert await AsyncTaskQueue().process_all([]) == []


async def test_results_are_those_of_the_latest_call(tasks: TaskBuilders, numbered: Numbered) -> None:
    """`results` starts anew with each call; it does not grow for ever (T4)."""
    queue = AsyncTaskQueue(1)
    assert queue.results == []
    for _ in range(3):
        returned = await queue.process_all(numbered(4, tasks.slow(0)))
        assert queue.results == returned
    single = await queue.process_task("single", tasks.slow(0))
    assert queue.results == [single]
    assert len([result async for result in queue.stream(numbered(4, tasks.slow(0)))]) == 4
    assert queue.results == [single]


async def test_a_single_task_does_not_disturb_a_running_call(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """While process_all runs, `results` is its record."""
    queue = AsyncTaskQueue(2)
    run = asyncio.create_task(queue.process_all([("a", tasks.slow(1), (), {}), ("b", tasks.slow(9), (), {})]))
    await virtual_clock.advance(2)
    await queue.process_task("single", tasks.slow(0))
    assert [result.task_id for result in queue.results] == ["a"]
    await run


async def test_results_may_be_changed_by_the_caller(tasks: TaskBuilders, numbered: Numbered) -> None:
    """The lists handed out are copies."""
    queue = AsyncTaskQueue()
    (await queue.process_all(numbered(2, tasks.slow(0)))).clear()
    queue.results.clear()
    assert len(queue.results) == 2


async def test_a_cancelled_single_task_is_cancelled(tasks: TaskBuilders) -> None:
    """Cancelling process_task cancels its task, and the caller."""
    never, queue = tasks.never(), AsyncTaskQueue(1)
    run = asyncio.create_task(queue.process_task("a", never))
    await settle()
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
    assert (never.cancelled, never.running) == (1, 0)


async def test_a_single_task_can_fail_fast(tasks: TaskBuilders) -> None:
    """With on_error="raise" process_task raises the task's error."""
    with pytest.raises(ValueError, match="bad"):
        await AsyncTaskQueue(on_error="raise").process_task("a", tasks.failing(ValueError("bad")))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_concurrent", 0), ("max_concurrent", -1), ("max_concurrent", True), ("max_concurrent", 2.0),
        ("max_concurrent", None), ("max_concurrent", "3"), ("timeout", 0), ("timeout", -1), ("timeout", float("nan")),
        ("timeout", float("inf")), ("timeout", True), ("timeout", "5"), ("on_error", "ignore"), ("retry", 3),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(setting: str, value: Any) -> None:
    """A queue that would hang, or do something else than meant, cannot be made; the error names the setting (T10)."""
    with pytest.raises((TypeError, ValueError), match=setting):
        AsyncTaskQueue(**{setting: value})


async def test_the_repr_tells_the_limit() -> None:
    """A queue names its limit."""
    queue = AsyncTaskQueue(7)
    assert queue.max_concurrent == 7
    assert repr(queue) == "<AsyncTaskQueue max_concurrent=7, 0 calls at work>"


def test_public_names_are_sorted() -> None:
    """What is public is listed, exists, and is in order."""
    assert task_queue.__all__ == sorted(task_queue.__all__)
    assert all(hasattr(task_queue, name) for name in task_queue.__all__)
