"""The workers of one run.

A run has at most as many asyncio tasks as may run at once, and each works through many of the user's tasks:
an asyncio task for each would cost five times the CPU, and all the memory of a million of them.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from task_queue.bare_traceback import forget_variables
from task_queue.call import Attempts, Caller
from task_queue.callables import is_async_def
from task_queue.crew import Crew, current_task, is_ordinary
from task_queue.errors import TaskCancelledError
from task_queue.progress import Progress
from task_queue.reentry import work_for
from task_queue.result import Status, TaskResult, Trouble, new_result, shortened
from task_queue.source import END, AsyncSource, SyncSource, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from task_queue.engine import EngineCaller
    from task_queue.limit import Limit
    from task_queue.outlets import Outlet

# A task that never waits gives the loop no turn. After so many of them, or so many seconds, a worker does.
_TURN: Final = range(100)
_SPELL: Final = 0.005

# Of an interrupted list of a million, the ids of so many are told that never were started.
_MOST_NEVER_STARTED: Final = 10_000


class Pool:
    """Runs the tasks of `source` and puts their results into `outlet`.

    ``async with pool:`` starts the workers; leaving the block, for whatever reason, leaves none behind.

    `window`: how many tasks may have been started whose results were not `taken`; None for any number.
    """

    def __init__(
        self,
        source: SyncSource | AsyncSource,
        outlet: Outlet,
        limit: Limit,
        caller: Caller | EngineCaller,
        *,
        window: int | None = None,
        fail_fast: bool = False,
        progress: Callable[[Progress], object] | None = None,
    ) -> None:
        self._source = source
        self._outlet = outlet
        self._limit = limit
        self._caller = caller
        self._window: float = float("inf") if window is None else window
        self._low = self._window // 2
        self._fail_fast = fail_fast
        self._size = limit.size + isinstance(source, AsyncSource)
        self._progress = progress
        self._blocked: deque[asyncio.Future[None]] = deque()
        self._rousing = False
        self._exhausted = False
        self._pulled = 0
        self._taken = 0
        self._waiting = 0
        self._ended = 0
        self._failed = 0

    # ------------------------------------------------------------ what the caller does

    async def __aenter__(self) -> Self:
        self._limit.enter()
        self._loop = asyncio.get_running_loop()
        self._wall = time.time() - self._loop.time()
        self._crew = Crew(on_left=self._hire, on_halt=self._close_outlet, on_end=self._outlet.wake)
        if isinstance(self._source, AsyncSource):
            self._crew.start(self._feed, "feeder")
        self._hire()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            await self._crew.stop()
        except asyncio.CancelledError as later:
            error = later
            raise
        finally:
            self._clean_up()
            self._crew.raise_failure(beside=error)

    @property
    def working(self) -> bool:
        """Whether results may still come."""
        return len(self._crew) > 0 and not self._crew.stopping

    async def finish(self) -> None:
        """Return when there is nothing more to do, or no sense in doing it."""
        await self._crew.finish()

    def took(self) -> None:
        """A result has been taken out of the outlet."""
        self._taken += 1
        if self._blocked and self._pulled - self._taken <= self._low:
            self.make_room()

    def make_room(self) -> None:
        """Wake one worker that waits for room, if there is any; it wakes the next."""
        while self._blocked and not self._rousing and self._pulled - self._taken < self._window:
            future = self._blocked.popleft()
            if not future.done():
                future.set_result(None)
                self._rousing = True

    # ------------------------------------------------------------ the hot loop

    async def _work(self) -> None:
        """Run one task after the other, until there are no more.

        A worker that returns early is replaced (see `_left`), and that keeps tasks apart which share one: when
        a task has changed a context variable, or has cancelled ``asyncio.current_task()``, its worker retires,
        and the next task meets a fresh one. Before it waits, a worker lets go of the last task's objects.
        """
        work_for(self._limit)
        context, me = contextvars.copy_context(), current_task()
        limit, source, now, wall, put = self._limit, self._source, _clock_of(self._loop), self._wall, self._outlet.put
        items = source.items if isinstance(source, SyncSource) else None
        plain, window, watched = self._caller.plain, self._window, self._progress is not None
        crew = self._crew
        trusted = None
        try:
            while not crew.stopping:
                spell = now() + _SPELL
                for _ in _TURN:
                    # 1. Room for one more result; then a task.
                    if self._pulled - self._taken >= window:
                        item = func = args = kwargs = value = result = None
                        await self._room()
                    if self._exhausted:
                        return
                    if items is not None:
                        item = next(items, END)
                    else:
                        item = func = args = kwargs = value = result = None
                        item = await source.take()  # type: ignore[union-attr]
                    if item is END:
                        self._exhaust()
                        return
                    position = self._pulled
                    self._pulled = position + 1
                    if position < self._size:
                        self._hire()
                    # 2. A place, among all the calls of this queue.
                    if limit.free:
                        limit.free -= 1
                    else:
                        await self._place(position, item)
                    # 3. The task itself.
                    task_id, func, args, kwargs = item
                    attempts = None
                    began = now()
                    try:
                        if func is trusted or (plain and is_async_def(func)):
                            trusted = func
                            value = await func(*args, **kwargs)
                        else:
                            attempts = Attempts()
                            value = await self._caller.call(attempts, task_id, func, args, kwargs)
                    except BaseException as error:  # noqa: BLE001 - What is not the task's own ends the run, in there.
                        ended = now()
                        result = self._failed_result(task_id, error, began, ended, attempts)
                    else:
                        ended = now()
                        result = new_result(task_id, value, began, ended, wall, attempts.remark() if attempts else None)
                    # 4. The place back, the result out.
                    if limit.waiting:
                        limit.give_back()
                    else:
                        limit.free += 1
                    put(position, result)
                    if watched:
                        self._report(result)
                    try:
                        spoilt = me.cancelling() or contextvars.copy_context() != context
                    except Exception:  # noqa: BLE001 - Values that cannot be compared, arrays for one: they have been set.
                        spoilt = True
                    if spoilt or crew.stopping:
                        return
                    if ended > spell:
                        break
                # A task that never waits leaves the loop no turn, so the worker does.
                await asyncio.sleep(0)
        except BaseException as error:  # noqa: BLE001 - Sorted out there, in this very turn: nothing else may start.
            crew.mind(error)

    async def _feed(self) -> None:
        try:
            await self._source.feed()  # type: ignore[union-attr]
        except BaseException as error:  # noqa: BLE001 - As above.
            self._crew.mind(error)

    async def _room(self) -> None:
        while self._pulled - self._taken >= self._window and not self._exhausted:
            future = self._loop.create_future()
            self._blocked.append(future)
            try:
                await future
            finally:
                self._rousing = False
        # One wakes the next: tasks that never wait need one worker, and the others may sleep on.
        self.make_room()

    async def _place(self, position: int, item: Task) -> None:
        self._waiting += 1
        try:
            while True:
                try:
                    await self._limit.wait()
                    break
                except asyncio.CancelledError:
                    if self._crew.stopping:
                        self._outlet.put(position, self._never_started(item))
                        raise
                    # Somebody cancelled the task that was here before, through an old current_task().
                    current_task().uncancel()
        finally:
            self._waiting -= 1

    # ------------------------------------------------------------ what became of a task

    def _failed_result(
        self, task_id: object, error: BaseException, began: float, ended: float, attempts: Attempts | None
    ) -> TaskResult:
        if isinstance(error, asyncio.CancelledError):
            status = Status.CUT_OFF if self._crew.stopping else Status.CANCELLED
        else:
            status = Status.TIMED_OUT if attempts is not None and attempts.timed_out else Status.FAILED
        forget_variables(error)
        if status is not Status.CUT_OFF and (self._fail_fast or self._crew.stopping or not is_ordinary(error)):
            self._fail(task_id, error, status)
        trouble = Trouble(status, error, attempts.count if attempts is not None else 1)
        return new_result(task_id, None, began, ended, self._wall, trouble)

    def _fail(self, task_id: object, error: BaseException, status: Status) -> None:
        if status is Status.CANCELLED:
            instead = TaskCancelledError(f"task {task_id!r} ended in CancelledError, but nobody was stopping the run")
            instead.__cause__ = error
            error = instead
        if self._crew.stopping and is_ordinary(error):
            self._crew.note(f"{task_id!r}: {shortened(error)}")
        else:
            self._crew.abort(error)

    def _never_started(self, item: Task) -> TaskResult:
        return new_result(item[0], None, None, 0.0, self._wall, Trouble(Status.NEVER_STARTED, None, 0))

    def _report(self, result: TaskResult) -> None:
        self._ended += 1
        self._failed += not result.succeeded
        if self._crew.stopping or self._progress is None:
            return
        running = self._pulled - self._ended - self._waiting
        try:
            self._progress(Progress(self._ended, self._failed, running, self._source.total))
        except BaseException as error:
            with suppress(Exception):  # Not every exception class lets itself be noted on.
                error.add_note("raised by the progress callback of AsyncTaskQueue, which ended the run")
            raise

    # ------------------------------------------------------------ the crew's beginning and end

    def _hire(self) -> None:
        """Start one more worker, if that makes sense; each starts the next, so a short run has few."""
        none_left = self._exhausted or (self._source.total is not None and self._pulled >= self._source.total)
        if len(self._crew) < self._size and not none_left and not self._crew.stopping:
            self._crew.start(self._work, "worker")

    def _close_outlet(self) -> None:
        self._outlet.close()
        self._outlet.wake()

    def _exhaust(self) -> None:
        self._exhausted = True
        for future in self._blocked:
            if not future.done():
                future.set_result(None)
        self._blocked.clear()

    def _clean_up(self) -> None:
        try:
            if self._crew.stopping:
                for position, item in enumerate(islice(self._source.rest(), _MOST_NEVER_STARTED), self._pulled):
                    self._outlet.put(position, self._never_started(item))
            if isinstance(self._source, SyncSource):
                self._source.close()
        except BaseException as error:  # noqa: BLE001 - From the generator's `finally`; raised by __aexit__.
            self._crew.abort(error)
        finally:
            self._caller.close()
            self._limit.leave()


def _clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """What ``loop.time()`` calls, if that is known: the method around it costs as much again, twice per task."""
    return time.monotonic if type(loop).time is asyncio.BaseEventLoop.time else loop.time
