from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing import settle
from task_queue import AsyncTaskQueue, TaskResult

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock

Numbered = Callable[..., list[Any]]
Others = Callable[[], set[asyncio.Task[Any]]]


async def sleeper(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def sleepers(*seconds: float) -> list[Any]:
    return [(number, sleeper, (length,), {}) for number, length in enumerate(seconds)]


async def test_results_come_as_tasks_end(virtual_clock: VirtualClock) -> None:
    """A stream yields the quick ones first, each at the moment when it has ended."""
    seen = [(result.result, virtual_clock.now) async for result in AsyncTaskQueue(3).stream(sleepers(3, 1, 2))]
    assert seen == [(1, 1), (2, 2), (3, 3)]


async def test_results_come_in_order_on_request(virtual_clock: VirtualClock) -> None:
    """With in_order the input's order is kept, and each is yielded as soon as those before it were."""
    stream = AsyncTaskQueue(3).stream(sleepers(3, 1, 2, 4), in_order=True)
    seen = [(result.task_id, virtual_clock.now) async for result in stream]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 5)]


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("ahead", [1, 2, 5, 7, 100])
@pytest.mark.parametrize("limit", [1, 3, 20])
@pytest.mark.parametrize("waits", [False, True])
async def test_every_result_comes_once(
    in_order: bool, ahead: int, limit: int, waits: bool, virtual_clock: VirtualClock, tasks: TaskBuilders
) -> None:
    """Whatever the window, the limit, the tasks and the consumer: nothing is lost, doubled or stuck."""

    async def task(number: int) -> int:
        for _ in range(number * 7 % 4):
            await asyncio.sleep(number % 3)
        return number

    seen = []
    source: Any = ((number, task, (number,), {}) for number in range(60))
    async for result in AsyncTaskQueue(limit).stream(source, in_order=in_order, ahead=ahead):
        seen.append(result.result)
        if waits:
            await asyncio.sleep(seen[-1] % 2)
    assert (seen if in_order else sorted(seen)) == list(range(60))


@pytest.mark.parametrize("in_order", [False, True])
async def test_a_slow_consumer_stops_the_workers(in_order: bool, numbered: Numbered, tasks: TaskBuilders) -> None:
    """No more tasks are started than `ahead` beyond the results taken."""
    slow = tasks.slow(0)
    async with aclosing(AsyncTaskQueue(3).stream(numbered(1000, slow), in_order=in_order, ahead=8)) as results:
        taken = 0
        async for _ in results:
            taken += 1
            await settle()
            assert slow.calls <= taken + 8
            if taken == 50:
                break
    assert slow.calls >= 50


async def test_a_slow_consumer_does_not_hold_places(
    virtual_clock: VirtualClock, tasks: TaskBuilders, numbered: Numbered
) -> None:
    """Workers that wait for the consumer occupy no place: in the loop's body the same queue can be used."""
    queue = AsyncTaskQueue(2)
    inner = [
        (await queue.process_task("inner", sleeper, 1)).result
        async for _ in queue.stream(numbered(10, tasks.slow(1)), ahead=2)
    ]
    assert inner == [1] * 10


async def test_a_slow_task_holds_up_only_the_window(
    virtual_clock: VirtualClock, tasks: TaskBuilders, numbered: Numbered
) -> None:
    """In order, the others run ahead of a slow first task as far as the window reaches."""
    quick = tasks.slow(0)
    source: Any = [("slow", tasks.slow(100), (), {}), *numbered(50, quick)]
    async with aclosing(AsyncTaskQueue(3).stream(source, in_order=True, ahead=10)) as results:
        first = asyncio.ensure_future(anext(results))
        await virtual_clock.advance(50)
        assert quick.calls == 9
        assert (await first).task_id == "slow"


async def test_leaving_a_stream_leaves_nothing_running(tasks: TaskBuilders, numbered: Numbered, others: Others) -> None:
    """When a closed stream's block ends, its tasks have been cancelled and have ended."""
    never = tasks.never()
    queue = AsyncTaskQueue(3)
    async with aclosing(queue.stream([("first", sleeper, (0,), {}), *numbered(10, never)])) as results:
        async for result in results:
            assert result.task_id == "first"
            break
    assert others() == set()
    assert (never.running, never.cancelled) == (0, never.calls)
    assert (await queue.process_task("after", sleeper, 0)).succeeded


@pytest.mark.allow_finding("AT305", reason="it forgets the stream")
async def test_a_stream_that_is_forgotten_ends_by_itself(
    tasks: TaskBuilders, numbered: Numbered, others: Others
) -> None:
    """Without aclosing, a stream that was left ends as soon as nobody refers to it."""
    never = tasks.never()
    async for _ in AsyncTaskQueue(3).stream([("first", sleeper, (0,), {}), *numbered(10, never)]):
        break
    gc.collect()
    await settle()
    assert others() == set()
    assert never.running == 0


async def test_a_cancelled_consumer_stops_the_stream(tasks: TaskBuilders, numbered: Numbered, others: Others) -> None:
    """A consumer that is cancelled while it waits for a result takes the tasks along."""
    never = tasks.never()
    queue = AsyncTaskQueue(3)

    async def consume() -> list[TaskResult]:
        return [result async for result in queue.stream(numbered(10, never))]

    run = asyncio.create_task(consume())
    await settle()
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
    assert others() == set()
    assert never.cancelled == 3


@pytest.mark.parametrize("in_order", [False, True])
async def test_a_failing_stream_yields_what_is_there(
    in_order: bool, virtual_clock: VirtualClock, tasks: TaskBuilders
) -> None:
    """Results that were there when a task failed are yielded before its error is raised; those cut off are not."""
    failing = tasks.failing(ValueError("bad"), after=3)
    source: Any = [*sleepers(1, 2, 2.5, 100), ("bad", failing, (), {})]
    seen = []

    async def consume() -> None:
        async for result in AsyncTaskQueue(5, on_error="raise").stream(source, in_order=in_order):
            seen.append(result.task_id)
            await asyncio.sleep(10)

    with pytest.raises(ValueError, match="bad"):
        await consume()
    assert seen == [0, 1, 2]


async def test_a_stream_ends_once(numbered: Numbered, tasks: TaskBuilders) -> None:
    """An empty input yields nothing; a finished stream stays finished."""
    assert [result async for result in AsyncTaskQueue().stream([])] == []
    stream = AsyncTaskQueue().stream(numbered(1, tasks.slow(0)))
    assert len([result async for result in stream]) == 1
    assert [result async for result in stream] == []


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5])
async def test_a_window_that_makes_no_sense_is_refused(wrong: Any) -> None:
    """The error names the setting."""
    with pytest.raises((TypeError, ValueError), match="ahead"):
        await anext(AsyncTaskQueue().stream([], ahead=wrong))
