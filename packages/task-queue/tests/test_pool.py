from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing import settle
from task_queue import AsyncTaskQueue, Status

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock

Numbered = Callable[..., list[Any]]
Others = Callable[[], set[asyncio.Task[Any]]]

variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable", default="unset")


async def noop() -> None:
    """Never waits."""


async def test_a_task_that_is_cancelled_ends_only_itself(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """A task's own CancelledError is its outcome; neither the caller nor the other tasks are cancelled (T7)."""

    async def awaits_something_cancelled() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    slow = tasks.slow(5, "done")
    first, second = await AsyncTaskQueue().process_all([("a", awaits_something_cancelled, (), {}), ("b", slow, (), {})])
    assert (first.status, first.succeeded, second.result) == (Status.CANCELLED, False, "done")
    assert isinstance(first.error, asyncio.CancelledError)
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


@pytest.mark.parametrize("waits", [True, False])
async def test_a_task_that_cancels_itself_does_not_reach_the_next(waits: bool, numbered: Numbered) -> None:
    """``current_task().cancel()`` in a task, awaited or not, leaves the next ones of that worker alone."""

    async def suicidal() -> str:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        if waits:
            await asyncio.sleep(0)
        return "alive"

    async def innocent() -> str:
        await asyncio.sleep(0)
        return "fine"

    source: Any = [("s", suicidal, (), {}), *numbered(5, innocent)]
    first, *rest = await AsyncTaskQueue(1).process_all(source)
    assert first.status is (Status.CANCELLED if waits else Status.FINISHED)
    assert [result.result for result in rest] == ["fine"] * 5


async def test_a_late_cancellation_does_not_stop_the_run(virtual_clock: VirtualClock, numbered: Numbered) -> None:
    """Whoever cancels a kept ``current_task()`` afterwards ends the task that is there, or none, but not the run."""
    kept: list[asyncio.Task[Any]] = []

    async def keeps() -> None:
        current = asyncio.current_task()
        assert current is not None
        kept.append(current)
        asyncio.get_running_loop().call_later(2.5, current.cancel)

    async def slow() -> None:
        await asyncio.sleep(1)

    results = await AsyncTaskQueue(1).process_all([("k", keeps, (), {}), *numbered(5, slow)])
    assert Counter(result.status for result in results) == {Status.FINISHED: 5, Status.CANCELLED: 1}


async def test_a_cancelled_wait_for_a_place_does_not_lose_the_task(
    virtual_clock: VirtualClock, tasks: TaskBuilders
) -> None:
    """A worker that somebody cancels while it waits for a place still runs its task."""
    queue = AsyncTaskQueue(1)
    blocker = asyncio.create_task(queue.process_task("blocker", tasks.slow(10)))
    await settle()
    before = asyncio.all_tasks()
    run = asyncio.create_task(queue.process_task("a", tasks.slow(0, "ran")))
    await settle()
    (worker,) = {task for task in asyncio.all_tasks() - before if task is not run}
    worker.cancel()
    assert (await run).result == "ran"
    assert (await blocker).succeeded


async def test_tasks_do_not_see_each_others_context() -> None:
    """A context variable set by one task is unset for the next, as if each had an asyncio task of its own."""

    async def look_and_set(value: Any) -> Any:
        seen = variable.get()
        variable.set(value)
        return seen

    variable.set("the caller's")

    class Incomparable:
        def __eq__(self, other: object) -> bool:
            raise TypeError

        __hash__ = None  # type: ignore[assignment]

    source: Any = [(number, look_and_set, (Incomparable(),), {}) for number in range(20)]
    results = await AsyncTaskQueue(2).process_all(source)
    assert [result.result for result in results] == ["the caller's"] * 20
    assert variable.get() == "the caller's"


async def test_a_timeout_tells_the_tasks_apart(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """After a timeout around the call one can tell what finished, was cut off, and was never started (T19)."""
    queue = AsyncTaskQueue(2)
    source: Any = [("quick", tasks.slow(1), (), {}), *((name, tasks.never(), (), {}) for name in "abcd")]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.process_all(source), 5)
    assert {result.task_id: result.status.value for result in queue.results} == {
        "quick": "finished", "a": "cut_off", "b": "cut_off", "c": "never_started", "d": "never_started",
    }  # fmt: skip


async def test_what_was_never_started_is_told_within_bounds(tasks: TaskBuilders, numbered: Numbered) -> None:
    """An interrupted list of a million is not turned into a million results; a generator is not read on."""
    read: list[int] = []

    def noted() -> Iterator[Any]:
        for number in range(50):
            read.append(number)
            yield (number, never, (), {})

    never, queue = tasks.never(), AsyncTaskQueue(2)
    for source, known in ((numbered(20_000, never), 10_002), (noted(), 2)):
        run = asyncio.create_task(queue.process_all(source))
        await settle()
        run.cancel()
        await asyncio.wait([run])
        assert len(queue.results) == known
    assert read == [0, 1]


async def mixed(number: int) -> int:
    """Waits differently each time, and fails now and then."""
    for _ in range(number % 4):
        await asyncio.sleep(0 if number % 2 else 0.5)
    if number % 5 == 3:
        raise ValueError(number)
    return number


async def described(count: int) -> AsyncIterator[Any]:
    for number in range(count):
        await asyncio.sleep(0)
        yield (number, mixed, (number,), {})


@pytest.mark.parametrize("turns", range(45))
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_cancelled_at_any_turn_nothing_is_left(
    turns: int, asynchronous: bool, virtual_clock: VirtualClock, others: Others
) -> None:
    """Wherever a call is cancelled: nothing runs on, all is accounted for, and the places are free again."""
    queue = AsyncTaskQueue(3, timeout=100)
    source: Any = described(12) if asynchronous else [(number, mixed, (number,), {}) for number in range(12)]
    rival = asyncio.create_task(queue.process_all([(number, mixed, (number,), {}) for number in range(4)]))
    run = asyncio.create_task(queue.process_all(source))
    for _ in range(1 + turns):
        await asyncio.sleep(0.1 if turns % 2 else 0)
    run.cancel()
    await asyncio.wait([run])
    seen = [result.task_id for result in queue.results]
    assert len(seen) == len(set(seen))
    assert asynchronous or len(seen) == 12
    assert [result.task_id for result in await rival] == [0, 1, 2, 3]
    assert others() == set()
    assert queue._limit.free == 3
    assert queue._limit.runs == 0
    assert len(await queue.process_all([(number, mixed, (number,), {}) for number in range(6)])) == 6


@pytest.mark.parametrize("turns", range(30))
@pytest.mark.parametrize("in_order", [False, True])
async def test_a_stream_cancelled_at_any_turn_leaves_nothing(
    turns: int, in_order: bool, virtual_clock: VirtualClock, others: Others
) -> None:
    """Wherever a consumer is cancelled: no task is left and no place is lost."""
    queue = AsyncTaskQueue(3)

    async def consume() -> None:
        async with aclosing(queue.stream(described(12), in_order=in_order, ahead=4)) as results:
            async for _ in results:
                await asyncio.sleep(0)

    run = asyncio.create_task(consume())
    for _ in range(turns):
        await asyncio.sleep(0.1 if turns % 2 else 0)
    run.cancel()
    await asyncio.wait([run])
    assert others() == set()
    assert (queue._limit.free, queue._limit.runs) == (3, 0)


async def test_tasks_that_never_wait_let_the_loop_breathe(numbered: Numbered) -> None:
    """Among tasks that never wait others get their turns, and the call can be cancelled."""
    turns = 0

    async def counts() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(counts())
    queue = AsyncTaskQueue()
    await queue.process_all(numbered(2000, noop))
    assert turns >= 10
    run = asyncio.create_task(queue.process_all((number, noop, (), {}) for number in itertools.count()))
    await asyncio.sleep(0)
    run.cancel()
    counting.cancel()
    await asyncio.wait([run, counting])
    assert run.cancelled()


async def test_a_million_places_cost_nothing_when_unused(numbered: Numbered, others: Others) -> None:
    """Workers are started as tasks come, not as many as there are places."""
    never = asyncio.get_running_loop().create_future

    async def wait() -> None:
        await never()

    run = asyncio.create_task(AsyncTaskQueue(1_000_000).process_all(iter(numbered(5, wait))))
    await settle()
    assert len(others()) <= 7
    run.cancel()
    await asyncio.wait([run])
