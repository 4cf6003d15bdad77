"""A task engine's promises as tests, for whoever runs tasks: in this process, or in workers elsewhere.

One fixture, and they run::

    class TestMyEngine(TaskEngineContract):
        @pytest.fixture
        def task_engine(self):
            def make(max_concurrent, timeout, attempts):
                return MyEngine(workers=max_concurrent, timeout=timeout, attempts=attempts)

            return TaskEngineUnderTest(make)

What runs elsewhere says ``in_process=False`` and lets its workers run :data:`TASKS`; what only a task of this process
can show is then skipped. In strict mode the class needs ``@pytest.mark.asyncio``.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

# ---------------------------------------------------------------- the tasks


async def give_back(*args: Any, **kwargs: Any) -> Any:
    """Its arguments, as JSON has them."""
    await asyncio.sleep(0)
    return [list(args), kwargs]


async def wait_then_give(seconds: float, value: Any) -> Any:
    """`value`, after so many seconds."""
    await asyncio.sleep(seconds)
    return value


async def refuse(reason: str) -> Any:
    """Raises ValueError."""
    await asyncio.sleep(0)
    raise ValueError(reason)


async def give_up() -> Any:
    """Ends as cancelled, though nobody has cancelled it."""
    await asyncio.sleep(0)
    raise asyncio.CancelledError


TASKS = (give_back, wait_then_give, refuse, give_up)
"""What an engine of workers elsewhere has to know."""

_LONG = 3600.0


# ---------------------------------------------------------------- the engine


class TaskEngine(Protocol):
    """What the contract asks of an engine. A task is ``(task_id, func, args, kwargs)``.

    A result has `task_id`, `result`, `error`, `succeeded`, `attempts` and `status`: "finished", "failed", "timed_out",
    "cancelled".
    """

    async def process_all(self, tasks: Any, /) -> list[Any]: ...
    async def process_task(self, task_id: Any, func: Any, /, *args: Any, **kwargs: Any) -> Any: ...
    def stream(self, tasks: Any, /, *, in_order: bool = False) -> AsyncGenerator[Any, None]: ...


@dataclass(frozen=True, slots=True)
class TaskEngineUnderTest:
    """How an engine is made, and where its tasks run."""

    make: Callable[[int, float | None, int], Any]
    """``make(max_concurrent, timeout, attempts)``: a :class:`TaskEngine`. `timeout`: seconds for a task, or None;
    `attempts`: how often a task is called that raises ValueError, without a wait worth speaking of."""
    in_process: bool = True

    def engine(self, max_concurrent: int = 3, timeout: float | None = None, attempts: int = 1) -> Any:
        return self.make(max_concurrent, timeout, attempts)

    def needs_tasks_in_here(self) -> None:
        if not self.in_process:
            pytest.skip("tasks of this engine run elsewhere, where they cannot be watched")


class _Watched:
    """A task that waits to be let go, and counts how many of it are inside."""

    def __init__(self) -> None:
        self.running = self.peak = self.calls = 0
        self.opened = asyncio.Event()
        self._called = asyncio.Event()

    async def __call__(self, value: Any = None) -> Any:
        self.calls += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        self._called.set()
        try:
            await self.opened.wait()
        finally:
            self.running -= 1
        return value

    async def called(self, times: int) -> None:
        while self.calls < times:
            self._called.clear()
            await self._called.wait()


class TaskEngineContract:
    """Play it to an engine by a fixture `task_engine`."""

    # ------------------------------------------------------------ results

    async def test_results_are_in_the_order_of_the_tasks(self, task_engine: TaskEngineUnderTest) -> None:
        """Whichever ends first."""
        tasks = _ending_after(a=0.1, b=0, c=0.05)
        results = await task_engine.engine().process_all(tasks)
        assert [result.task_id for result in results] == ["a", "b", "c"]
        assert [result.result for result in results] == ["a", "b", "c"]
        assert all(result.succeeded and result.status == "finished" for result in results)

    async def test_arguments_come_as_they_were_given(self, task_engine: TaskEngineUnderTest) -> None:
        arguments, keywords = (1, "zwei", None, [3.5]), {"flag": True, "nested": {"": [""]}}
        [result] = await task_engine.engine().process_all([("a", give_back, arguments, keywords)])
        assert result.result == [list(arguments), keywords]

    async def test_no_tasks_have_no_results(self, task_engine: TaskEngineUnderTest) -> None:
        assert list(await task_engine.engine().process_all([])) == []

    async def test_a_failure_is_its_tasks_own(self, task_engine: TaskEngineUnderTest) -> None:
        tasks: list[Any] = [(0, refuse, ("no such user",), {}), (1, give_back, (), {})]
        bad, good = await task_engine.engine().process_all(tasks)
        assert (bad.status, bad.succeeded, bad.result) == ("failed", False, None)
        assert isinstance(bad.error, ValueError)
        assert str(bad.error) == "no such user"
        assert (good.status, good.error) == ("finished", None)

    async def test_a_task_that_takes_too_long_is_ended(self, task_engine: TaskEngineUnderTest) -> None:
        """And only that one."""
        tasks: list[Any] = [(0, wait_then_give, (_LONG, "late"), {}), (1, give_back, (), {})]
        late, good = await task_engine.engine(timeout=0.2).process_all(tasks)
        assert (late.status, late.succeeded, late.result) == ("timed_out", False, None)
        assert isinstance(late.error, TimeoutError)
        assert good.status == "finished"

    async def test_a_task_that_is_cancelled_ends_only_itself(self, task_engine: TaskEngineUnderTest) -> None:
        ended, good = await task_engine.engine().process_all([(0, give_up, (), {}), (1, give_back, (), {})])
        assert (ended.status, ended.succeeded) == ("cancelled", False)
        assert good.status == "finished"

    async def test_a_failure_is_tried_again_as_often_as_was_said(self, task_engine: TaskEngineUnderTest) -> None:
        tasks: list[Any] = [(0, refuse, ("still bad",), {}), (1, give_back, (), {})]
        bad, good = await task_engine.engine(attempts=3).process_all(tasks)
        assert (bad.status, bad.attempts) == ("failed", 3)
        assert (good.status, good.attempts) == ("finished", 1)

    async def test_a_late_success_is_a_success(self, task_engine: TaskEngineUnderTest) -> None:
        task_engine.needs_tasks_in_here()
        calls = 0

        async def flaky() -> str:
            nonlocal calls
            calls += 1
            if calls < 3:
                raise ValueError(calls)
            return "at last"

        [result] = await task_engine.engine(attempts=5).process_all([(0, flaky, (), {})])
        assert (result.result, result.error, result.attempts, calls) == ("at last", None, 3, 3)

    async def test_one_task_is_run_as_many_are(self, task_engine: TaskEngineUnderTest) -> None:
        engine = task_engine.engine()
        result = await engine.process_task("a", give_back, 1, two=2)
        assert (result.task_id, result.status, result.result) == ("a", "finished", [[1], {"two": 2}])
        assert (await engine.process_task("b", refuse, "no")).status == "failed"

    # ------------------------------------------------------------ what is no task

    async def test_two_tasks_of_one_id_are_refused(self, task_engine: TaskEngineUnderTest) -> None:
        """Before any has run."""
        task_engine.needs_tasks_in_here()
        work = _Watched()
        with pytest.raises(ValueError):  # noqa: PT011 - in its own words
            await task_engine.engine().process_all([(0, work, (), {}), (1, work, (), {}), (0, work, (), {})])
        assert work.calls == 0

    async def test_what_is_no_task_is_refused(self, task_engine: TaskEngineUnderTest) -> None:
        with pytest.raises(TypeError):
            await task_engine.engine().process_all([("a", give_back)])

    # ------------------------------------------------------------ a few at a time

    async def test_as_many_run_at_once_as_was_said(self, task_engine: TaskEngineUnderTest) -> None:
        """No fewer, and no more."""
        task_engine.needs_tasks_in_here()
        work = _Watched()
        run = asyncio.create_task(task_engine.engine(3).process_all([(n, work, (n,), {}) for n in range(10)]))
        await work.called(3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert work.running == 3
        work.opened.set()
        assert [result.result for result in await run] == list(range(10))
        assert work.peak == 3

    async def test_two_calls_at_once_share_the_places(self, task_engine: TaskEngineUnderTest) -> None:
        task_engine.needs_tasks_in_here()
        work, engine = _Watched(), task_engine.engine(3)
        runs = [asyncio.create_task(engine.process_all([(n, work, (n,), {}) for n in range(5)])) for _ in range(2)]
        await work.called(3)
        for _ in range(20):
            await asyncio.sleep(0)
        work.opened.set()
        assert [[result.result for result in await run] for run in runs] == [list(range(5))] * 2
        assert work.peak == 3

    async def test_tasks_are_taken_as_they_can_be_run(self, task_engine: TaskEngineUnderTest) -> None:
        """A source of any length costs no more memory than what is running."""
        task_engine.needs_tasks_in_here()
        work, taken = _Watched(), 0

        def source() -> Iterator[Any]:
            nonlocal taken
            for number in range(50):
                taken += 1
                yield (number, work, (), {})

        run = asyncio.create_task(task_engine.engine(2).process_all(source()))
        await work.called(2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert taken <= 4
        work.opened.set()
        assert len(await run) == taken == 50

    async def test_tasks_may_come_from_an_async_source(self, task_engine: TaskEngineUnderTest) -> None:
        async def source() -> AsyncIterator[Any]:
            for number in range(5):
                await asyncio.sleep(0)
                yield (number, give_back, (number,), {})

        results = await task_engine.engine(2).process_all(source())
        assert [result.result for result in results] == [[[number], {}] for number in range(5)]

    async def test_an_error_of_the_source_is_raised(self, task_engine: TaskEngineUnderTest) -> None:
        def source() -> Iterator[Any]:
            yield (0, give_back, (), {})
            raise LookupError("the source is broken")

        async def async_source() -> AsyncIterator[Any]:
            for task in source():
                yield task

        for tasks in (source(), async_source()):
            with pytest.raises(LookupError, match="the source is broken"):
                await task_engine.engine().process_all(tasks)

    # ------------------------------------------------------------ one result after the other

    async def test_a_stream_gives_results_as_they_come(self, task_engine: TaskEngineUnderTest) -> None:
        tasks = _ending_after(late=0.3, soon=0)
        assert [each.result async for each in task_engine.engine().stream(tasks)] == ["soon", "late"]

    async def test_a_stream_in_order_gives_them_in_order(self, task_engine: TaskEngineUnderTest) -> None:
        tasks = _ending_after(late=0.1, soon=0)
        assert [each.result async for each in task_engine.engine().stream(tasks, in_order=True)] == ["late", "soon"]

    async def test_a_stream_tells_failures_too(self, task_engine: TaskEngineUnderTest) -> None:
        tasks: list[Any] = [(0, refuse, ("no",), {}), (1, give_back, (), {})]
        found = {each.task_id: each.status async for each in task_engine.engine().stream(tasks)}
        assert found == {0: "failed", 1: "finished"}

    async def test_a_stream_that_is_left_leaves_no_task_behind(self, task_engine: TaskEngineUnderTest) -> None:
        task_engine.needs_tasks_in_here()
        work = _Watched()
        tasks: list[Any] = [("first", give_back, (), {}), *((number, work, (), {}) for number in range(5))]
        async with aclosing(task_engine.engine(3).stream(tasks)) as results:
            async for result in results:
                assert result.task_id == "first"
                break
        assert work.running == 0

    # ------------------------------------------------------------ cancelled

    async def test_a_cancelled_call_leaves_no_task_behind(self, task_engine: TaskEngineUnderTest) -> None:
        """And the engine can be used again."""
        task_engine.needs_tasks_in_here()
        work, engine = _Watched(), task_engine.engine(2)
        run = asyncio.create_task(engine.process_all([(number, work, (), {}) for number in range(5)]))
        await work.called(2)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled()
        assert (work.running, work.calls) == (0, 2)
        assert (await engine.process_task("again", give_back)).status == "finished"


def _ending_after(**seconds: float) -> list[Any]:
    """Tasks that give their names, each after so many seconds."""
    return [(name, wait_then_give, (each, name), {}) for name, each in seconds.items()]
