from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing import settle
from task_queue import AsyncTaskQueue, DuplicateTaskError, MalformedTaskError, Status
from task_queue.source import AsyncSource, source_of

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock

Numbered = Callable[..., list[Any]]


async def noop(*_: object, **__: object) -> str:
    return "ran"


async def test_a_generator_is_read_as_workers_become_free(tasks: TaskBuilders) -> None:
    """Neither are all items pulled at once, nor is there an asyncio task for each (T3)."""
    pulled = 0

    def endless() -> Iterator[Any]:
        nonlocal pulled
        while True:
            pulled += 1
            yield (pulled, tasks.never(), (), {})

    before = len(asyncio.all_tasks())
    run = asyncio.create_task(AsyncTaskQueue(3).process_all(endless()))
    await settle()
    assert pulled == 3
    assert len(asyncio.all_tasks()) - before <= 4
    run.cancel()
    await asyncio.wait([run])


async def test_an_async_iterable_is_read_as_workers_become_free(
    virtual_clock: VirtualClock, tasks: TaskBuilders
) -> None:
    """An async generator is not read ahead either, and its results come in its order."""
    pulled = 0

    async def paged() -> AsyncIterator[Any]:
        nonlocal pulled
        for number in range(10):
            await asyncio.sleep(0.1)
            pulled += 1
            yield (number, tasks.slow(10, number), (), {})

    run = asyncio.create_task(AsyncTaskQueue(2).process_all(paged()))
    await virtual_clock.advance(5)
    assert pulled == 2
    assert [result.result for result in await run] == list(range(10))


async def test_an_async_generator_is_stepped_by_one_task(virtual_clock: VirtualClock) -> None:
    """A timeout around its yield belongs to the generator, not to whichever worker made the step."""
    steppers: set[asyncio.Task[Any] | None] = set()

    async def guarded() -> AsyncIterator[Any]:
        async with asyncio.timeout(100):
            for number in range(5):
                steppers.add(asyncio.current_task())
                yield (number, asyncio.sleep, (1, number), {})

    results = await AsyncTaskQueue(2).process_all(guarded())
    assert [result.result for result in results] == [0, 1, 2, 3, 4]
    assert len(steppers) == 1


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_iterable_that_raises_ends_the_run(asynchronous: bool, tasks: TaskBuilders) -> None:
    """Its error is raised; tasks at work are cancelled and awaited; results so far are kept."""
    never = tasks.never()

    def broken() -> Iterator[Any]:
        yield ("a", noop, (), {})
        yield ("b", never, (), {})
        raise OSError("the database is gone")

    async def broken_too() -> AsyncIterator[Any]:
        for item in broken():
            yield item
            await settle()

    queue = AsyncTaskQueue(3)
    with pytest.raises(OSError, match="the database is gone"):
        await queue.process_all(broken_too() if asynchronous else broken())
    assert {result.task_id: result.status for result in queue.results} == {"a": Status.FINISHED, "b": Status.CUT_OFF}
    assert never.running == 0


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_iterable_that_is_cancelled_does_not_cancel_the_caller(asynchronous: bool) -> None:
    """A CancelledError of the iterable's own is an error of the iterable."""

    def cancelled() -> Iterator[Any]:
        yield ("a", noop, (), {})
        raise asyncio.CancelledError

    async def cancelled_too() -> AsyncIterator[Any]:
        for item in cancelled():
            yield item

    with pytest.raises(RuntimeError, match="iterable of tasks"):
        await AsyncTaskQueue().process_all(cancelled_too() if asynchronous else cancelled())


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_generators_are_closed_when_a_run_ends_early(asynchronous: bool) -> None:
    """The generator's own `finally` has run when the stream is closed."""
    closed: list[str] = []

    def endless() -> Iterator[Any]:
        try:
            while True:
                yield ("a", noop, (), {})
        finally:
            closed.append("sync")

    async def endless_too() -> AsyncIterator[Any]:
        try:
            while True:
                yield ("a", noop, (), {})
        finally:
            await asyncio.sleep(0)
            closed.append("async")

    async with aclosing(AsyncTaskQueue().stream(endless_too() if asynchronous else endless())) as results:
        async for _ in results:
            break
    assert closed == ["async" if asynchronous else "sync"]


async def test_a_list_may_be_used_again(numbered: Numbered) -> None:
    """What is no generator is not consumed, closed or changed."""
    items = numbered(3, noop)
    queue = AsyncTaskQueue()
    assert len(await queue.process_all(items)) == len(await queue.process_all(items)) == 3


@pytest.mark.parametrize(
    "item",
    [
        ("a", noop), ("a", noop, ()), ("a", noop, (), {}, 1), "abcd", None, 7, {"a": 1},
        ("a", noop, "args", {}), ("a", noop, 5, {}), ("a", noop, (), ()),
        (["unhashable"], noop, (), {}), ["a", noop, [], {1: 2}],
    ],
)  # fmt: skip
async def test_a_malformed_item_is_named_by_its_position(item: Any) -> None:
    """What is not (task_id, func, args, kwargs) is refused, and the error says which it was."""

    async def later() -> AsyncIterator[Any]:
        yield ("fine", noop, (), {})
        yield item

    for given in (iter([("fine", noop, (), {}), item]), [("fine", noop, (), {}), item], later()):
        with pytest.raises(MalformedTaskError, match=r"tasks\[1\]"):
            await AsyncTaskQueue().process_all(given)


@pytest.mark.parametrize("tasks", [None, 5, "abcd", {"a": 1}])
async def test_what_holds_no_tasks_is_refused(tasks: Any) -> None:
    """The error says what to give."""
    with pytest.raises(MalformedTaskError, match="iterable"):
        await AsyncTaskQueue().process_all(tasks)


async def test_lists_do_for_tuples() -> None:
    """An item read from JSON is as good."""
    (result,) = await AsyncTaskQueue().process_all([["a", noop, [1, 2], {}]])  # type: ignore[list-item]
    assert result.result == "ran"


async def test_a_repeated_id_is_refused_before_anything_runs(tasks: TaskBuilders) -> None:
    """Two tasks of a list with one id are an error that names it, and none of the list runs (T4)."""
    slow = tasks.slow(0)
    with pytest.raises(DuplicateTaskError, match=r"tasks\[2\] has the id 'twice'"):
        await AsyncTaskQueue().process_all([("twice", slow, (), {}), ("b", slow, (), {}), ("twice", slow, (), {})])
    assert slow.calls == 0


async def test_a_repeated_id_of_a_generator_ends_the_run() -> None:
    """A generator cannot be checked beforehand; the run ends where the id is repeated (T4)."""
    with pytest.raises(DuplicateTaskError, match=r"tasks\[1\] has the id 'a'"):
        await AsyncTaskQueue(1).process_all(("a", noop, (), {}) for _ in range(5))


async def test_a_stream_may_repeat_ids() -> None:
    """A stream remembers no ids, so that its memory stays flat."""
    assert len([result async for result in AsyncTaskQueue().stream(("a", noop, (), {}) for _ in range(5))]) == 5


async def test_names_of_ours_are_free_for_the_task() -> None:
    """A task may have arguments named task_id, func, self (T14)."""

    async def echo(**kwargs: object) -> object:
        return kwargs

    names = {"task_id": 7, "func": 8, "self": 9, "args": 10}
    queue = AsyncTaskQueue()
    first, second = await queue.process_all([("a", noop, (), {}), ("b", echo, (), names)])
    assert (first.result, second.result) == ("ran", names)
    assert (await queue.process_task("c", echo, **names)).result == names


async def test_an_error_while_a_generator_is_closed_is_raised() -> None:
    """What goes wrong in the generator's `finally` reaches whoever ends the run early."""

    def clumsy() -> Iterator[Any]:
        try:
            while True:
                yield ("a", noop, (), {})
        finally:
            raise OSError("cannot close")

    stream = AsyncTaskQueue().stream(clumsy())
    await anext(stream)
    with pytest.raises(OSError, match="cannot close"):
        await stream.aclose()


async def test_a_task_handed_over_to_a_worker_that_goes_is_somebody_else_s() -> None:
    """The worker was cancelled in the very turn in which it got the task."""

    class Rows:
        def __aiter__(self) -> Rows:
            return self

        async def __anext__(self) -> Any:
            asyncio.get_running_loop().call_soon(takers[0].cancel)
            if len(takers) > 1:
                raise StopAsyncIteration
            return ("a", noop, (), {})

    source = source_of(Rows(), unique=True)
    assert isinstance(source, AsyncSource)
    takers = [asyncio.create_task(source.take())]
    feeder = asyncio.create_task(source.feed())
    await asyncio.wait(takers)
    takers.append(asyncio.create_task(source.take()))
    assert (await takers[1])[0] == "a"
    assert takers[0].cancelled()
    feeder.cancel()
    await asyncio.wait([feeder])
