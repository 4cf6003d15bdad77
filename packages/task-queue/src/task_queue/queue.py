"""AsyncTaskQueue: many tasks, a few at a time."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, Final, Literal

from task_queue.call import Caller
from task_queue.engine import EngineCaller
from task_queue.limit import Limit
from task_queue.outlets import AsCompleted, InOrder, Kept
from task_queue.pool import Pool
from task_queue.reentry import refuse_reentry
from task_queue.retry import RetryPolicy
from task_queue.source import Tasks, source_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable

    from task_queue.engine import Engine
    from task_queue.outlets import Outlet
    from task_queue.progress import Progress
    from task_queue.result import TaskResult

# Fewer would let the workers and the consumer of very short tasks take turns too often.
_AHEAD: Final = 32

OnError = Literal["collect", "raise"]


class AsyncTaskQueue:
    """Runs tasks, at most `max_concurrent` at once, however many calls they come in by.

    A task is a tuple ``(task_id, func, args, kwargs)``; ``await func(*args, **kwargs)`` is run for it.

    `timeout`: seconds that a task may take, all its attempts and the waits between them included.
    `retry`: when to try a failed task again. It keeps its place meanwhile, so that a broken server is not
    met by even more tasks.
    `on_error`: ``"collect"`` puts a task's error into its result; ``"raise"`` ends the run at the first one,
    cancels the other tasks, waits until they have ended, and raises the error itself.
    `progress`: called with a Progress each time a task of ``process_all`` or ``stream`` has ended. It runs on
    the event loop, so it should be quick. What it raises ends the run and is raised by the call.
    `threads`: run synchronous functions in threads instead of refusing them. A thread cannot be stopped: its
    task keeps its place until the function returns, even when it is timed out or the run is cancelled.
    `engine`: where the functions are called, such as a QueueEngine; None: here. `max_concurrent` is then how many are
    under way at once, waiting for a worker or in work.

    A queue may be used by one event loop at a time. Raises TypeError or ValueError for a setting that makes
    no sense.
    """

    def __init__(
        self,
        max_concurrent: int = 3,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        on_error: OnError = "collect",
        progress: Callable[[Progress], object] | None = None,
        threads: bool = False,
        engine: Engine | None = None,
    ) -> None:
        _check_count("max_concurrent", max_concurrent)
        _check_timeout(timeout)
        if not (retry is None or isinstance(retry, RetryPolicy)):
            raise TypeError(f"retry={retry!r}: give a RetryPolicy, such as RetryPolicy(attempts=3)")
        if on_error not in ("collect", "raise"):
            raise ValueError(f"on_error={on_error!r}: give 'collect' or 'raise'")
        if progress is not None and (not callable(progress) or inspect.iscoroutinefunction(progress)):
            raise TypeError(f"progress={progress!r}: give a plain function that takes a Progress; it is not awaited")
        self._limit = Limit(max_concurrent)
        self._timeout = timeout
        self._retry = retry
        self._fail_fast = on_error == "raise"
        self._progress = progress
        if threads and engine is not None:
            raise TypeError("threads=True is about functions that run here; with an engine they run in its workers")
        self._threads = max_concurrent if threads else 0
        self._engine = engine
        self._latest = Kept()
        self._latest_is_running = False

    def __repr__(self) -> str:
        return f"<AsyncTaskQueue max_concurrent={self.max_concurrent}, {self._limit.runs} calls at work>"

    @property
    def max_concurrent(self) -> int:
        """How many tasks may run at once."""
        return self._limit.size

    @property
    def results(self) -> list[TaskResult]:
        """The results of the most recent ``process_all``, in the order in which its tasks ended.

        There while it runs, and after it was cancelled or failed: then the tasks that were cut off follow,
        and those that were never started, as far as they are known (all of a list, up to 10,000; a generator
        is not read on to find out). Each call starts anew. A ``process_task`` counts as a call, unless a
        ``process_all`` is running; ``stream`` does not, and keeps nothing.
        """
        return self._latest.as_they_ended()

    async def process_all(self, tasks: Tasks) -> list[TaskResult]:
        """Run all tasks; return their results, in the order of the input.

        `tasks` is an iterable or an async iterable. A generator is read as workers become free, never ahead,
        and closed when the run ends early.

        Raises MalformedTaskError or DuplicateTaskError, before anything has run if `tasks` is a collection; and
        what the iterable raises. With ``on_error="raise"``, the first task's error. ReentrantCallError when a
        task calls its own queue. What a task raises that is no Exception, such as SystemExit, is raised always.

        Cancelled, it cancels its tasks, waits until they have ended, and leaves what is known in `results`.
        A task that is cancelled by something else only ends itself.
        """
        kept = Kept()
        pool = self._pool(tasks, kept, unique=True)
        del tasks  # An error that is raised from here keeps this frame, and should not keep all tasks with it.
        self._latest, self._latest_is_running = kept, True
        try:
            async with pool:
                await pool.finish()
        finally:
            if self._latest is kept:
                self._latest_is_running = False
        return kept.in_order()

    async def process_task(
        self, task_id: Hashable, func: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> TaskResult:
        """Run one task, when there is a place for it, and return its result.

        Raises, and is cancelled, as `process_all`.
        """
        kept = Kept()
        async with self._pool([(task_id, func, args, kwargs)], kept, progress=False) as pool:
            await pool.finish()
        if not self._latest_is_running:
            self._latest = kept
        (result,) = kept.in_order()
        return result

    async def stream(
        self, tasks: Tasks, *, in_order: bool = False, ahead: int | None = None
    ) -> AsyncGenerator[TaskResult, None]:
        """Yield each result as soon as its task has ended; with `in_order`, in the order of the input.

        Memory stays flat however many tasks there are: at most `ahead` tasks (by default four times
        `max_concurrent`, and not under 32) have been started whose results were not taken yet, so a slow
        consumer slows the workers down. With `in_order` that is also how far the others may run ahead of a
        slow task.

        Ids may repeat: to remember them all would cost memory. Otherwise raises as `process_all`; results that
        are there when something goes wrong are yielded before it is raised.

        Leaving the loop early ends the run when the generator is closed: ``async with
        contextlib.aclosing(queue.stream(...)) as results`` cancels the tasks and waits for them on the way out.
        Without it, Python closes the generator as soon as it is no longer referred to, in the background.
        """
        if ahead is not None:
            _check_count("ahead", ahead)
        outlet = InOrder() if in_order else AsCompleted()
        pool = self._pool(tasks, outlet, window=ahead or max(_AHEAD, 4 * self.max_concurrent))
        async with pool:
            while True:
                for result in outlet.take():
                    pool.took()
                    yield result
                if outlet.ready:
                    continue
                if not pool.working:
                    return
                pool.make_room()
                await outlet.wait()

    def _pool(
        self, tasks: Tasks, outlet: Outlet, *, unique: bool = False, window: int | None = None, progress: bool = True
    ) -> Pool:
        refuse_reentry(self._limit)
        return Pool(
            source_of(tasks, unique=unique),
            outlet,
            self._limit,
            self._caller(),
            window=window,
            fail_fast=self._fail_fast,
            progress=self._progress if progress else None,
        )

    def _caller(self) -> Caller | EngineCaller:
        if self._engine is not None:
            return EngineCaller(self._engine, self._timeout, self._retry)
        return Caller(self._timeout, self._retry, self._threads)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r}: give a whole number, 1 or more")
    if value < 1:
        raise ValueError(f"{name}={value}: nothing would ever run; give 1 or more")


def _check_timeout(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"timeout={value!r}: give a number of seconds, or None for no limit")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"timeout={value!r}: give seconds, more than 0, or None for no limit")
