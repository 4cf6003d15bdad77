"""BackgroundProcessor: start work now, hear of it later, lose sight of none of it."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from queue_processor.batch import Batch, Failure
from queue_processor.consumers import check_handler
from queue_processor.crew import ended
from queue_processor.errors import CalledFromHandler, HandlerCancelled, ProcessorNotRunning, WrongEventLoop
from queue_processor.handles import Handle
from queue_processor.handling import handling_for, inside_handler_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

T = TypeVar("T")
R = TypeVar("R")


class BackgroundProcessor(Generic[T, R]):
    """Process items in the background, `max_concurrent` of them at once.

    Best used as ``async with BackgroundProcessor(process_item) as background``: leaving the block waits for all items
    and raises their failures together; an exception in the block cancels them. It works without the block too, and
    keeps nothing alive when all is done.

    `process_item`: ``async def`` taking one item. Without one, the method of that name is called, which subclasses
    may override. Items wait in memory: for an unbounded stream of them use QueueProcessor.

    Raises ValueError or TypeError at once for arguments that cannot work.
    """

    @overload
    def __init__(
        self: BackgroundProcessor[Any, Any], process_item: None = None, *, max_concurrent: int = 100
    ) -> None: ...

    @overload
    def __init__(self, process_item: Callable[[T], Awaitable[R]], *, max_concurrent: int = 100) -> None: ...

    def __init__(self, process_item: Callable[[T], Awaitable[R]] | None = None, *, max_concurrent: int = 100) -> None:
        check_handler(process_item)
        if max_concurrent < 1:
            raise ValueError(f"max_concurrent={max_concurrent}: no item would ever be processed; give 1 or more")
        self._given = process_item
        self._limit = max_concurrent
        self._waiting: deque[Handle[R]] = deque()
        self._active: dict[Handle[R], asyncio.Task[R] | None] = {}
        self._batch: Batch[R] = Batch()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._entered = False
        self._left = False
        self._cancelling = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._active)} in work, {len(self.tasks)} not done>"

    async def process_item(self, item: T) -> R:
        """What happens to one item; for subclasses to override. What it returns is put in `results`."""
        if self._given is not None:
            return await self._given(item)
        await asyncio.sleep(0.1)
        return cast("R", f"processed_{item}")

    # ------------------------------------------------------------ what one can ask

    @property
    def tasks(self) -> list[Handle[R]]:
        """The handles of the items that are not done: in work, then waiting. A done item leaves; keep what
        start_processing() returned to ask about it later."""
        return [handle for handle in (*self._active, *self._waiting) if not handle.done()]

    @property
    def results(self) -> list[R]:
        """The results so far, in the order in which they came; emptied when the next work starts after all was done."""
        return self._batch.results

    # ------------------------------------------------------------ work

    def start_processing(self, items: Iterable[T]) -> list[Handle[R]]:
        """Start processing the items and return at once, with a handle for each.

        Raises ProcessorNotRunning (a RuntimeError) outside a running event loop or after ``async with`` was left,
        and what the iterable raises; then nothing was started.
        """
        loop = self._running_loop()
        if self._left:
            raise ProcessorNotRunning("start_processing() was called after `async with` was left; enter it again first")
        context = copy_context()
        handles = [Handle[R](item, context, self._cancel_one) for item in items]
        self._adopt(loop)
        if not self._batch.outstanding:
            self._begin_batch()
        for handle in handles:
            self._batch.started_one()
            self._waiting.append(handle)
        self._start_next()
        return handles

    async def wait_for_completion(self) -> None:
        """Wait until everything is done, also what is started meanwhile; then raise all failures as an ExceptionGroup.

        Failures are raised once. Cancelling the wait, or a timeout around it, does not touch the work.
        """
        if inside_handler_of(self):
            raise CalledFromHandler(
                "wait_for_completion() was called from process_item(), for which it would have to wait"
            )
        failures: list[Failure] = []
        started, batch = 0, None
        try:
            while batch is not self._batch:
                batch = self._batch
                failures += await batch.finished()
                started += batch.started
        except asyncio.CancelledError:
            self._not_told(failures, batch)
            raise
        if failures:
            raise BaseExceptionGroup(
                f"{len(failures)} of {started} items failed in the background", [failure.error for failure in failures]
            )

    async def __aenter__(self) -> Self:
        self._adopt(asyncio.get_running_loop())
        if self._entered:
            raise ProcessorNotRunning("this processor has been entered already; enter it again when it has been left")
        self._entered, self._left = True, False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all items and raise their failures together; after an exception in the block, or when cancelled
        meanwhile, cancel them instead."""
        try:
            if error is None:
                await self.wait_for_completion()
        finally:
            self._left = True
            try:
                await self._cancel_all()
            finally:
                self._entered = False
                self._report_unheard()

    # ------------------------------------------------------------ inside

    def _start_next(self) -> None:
        while self._waiting and len(self._active) < self._limit:
            handle = self._waiting.popleft()
            if handle.done():
                continue
            # Its place is taken before the task exists: an eager task may come back here at once.
            self._active[handle] = None
            context = handle.context.copy() if handle.context is not None else None
            loop = cast("asyncio.AbstractEventLoop", self._loop)
            task = loop.create_task(self._process(handle), name="background item", context=context)
            self._active[handle] = task
            task.add_done_callback(partial(self._ended, handle))

    async def _process(self, handle: Handle[R]) -> R:
        with handling_for(self):
            try:
                return await self.process_item(cast("T", handle.item))
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                raise HandlerCancelled(
                    "process_item() awaited something that had been cancelled, and let that pass for its own"
                ) from error

    def _ended(self, handle: Handle[R], task: asyncio.Task[R]) -> None:
        if self._active.get(handle) is not task:
            return  # it belongs to an event loop that was closed long ago
        del self._active[handle]
        if task.cancelled():
            self._settle(handle, cancelled=True)
            if not handle.cancel_asked and not self._cancelling:
                self._cancelled_by_others()
        elif (error := task.exception()) is not None:
            self._failed(handle, error)
        else:
            self._batch.results.append(task.result())
            self._settle(handle, result=task.result())
        self._start_next()

    def _failed(self, handle: Handle[R], error: BaseException) -> None:
        # Who awaits the handle hears of it there.
        self._batch.failures.append(Failure(error, reported=handle.watched))
        self._report_unheard()
        self._settle(handle, error=error)

    def _settle(self, handle: Handle[R], **outcome: Any) -> None:
        handle.settle(**outcome)
        self._batch.settled_one()

    def _begin_batch(self) -> None:
        earlier, self._batch = self._batch, Batch()
        if self._entered:
            # Leaving the block raises all of them; without a block they have been reported, and would pile up.
            self._batch.follow(earlier)

    def _not_told(self, failures: list[Failure], batch: Batch[R] | None) -> None:
        """A wait was cancelled: what it would have raised is left to the next one."""
        if batch is not None and batch is not self._batch and not batch.awaited:
            failures += batch.failures
            batch.failures = []
        self._batch.failures[:0] = failures
        self._report_unheard()

    def _report_unheard(self) -> None:
        """If nobody waits who would be told, say it where asyncio says such things."""
        if self._entered or self._batch.awaited:
            return
        message = "an item failed in the background while nobody waited for it; await wait_for_completion()"
        for error in self._batch.unheard():
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})

    # ------------------------------------------------------------ cancelling

    def _cancel_one(self, handle: Handle[R]) -> None:
        if handle not in self._active:
            self._settle(handle, cancelled=True)
        elif (task := self._active[handle]) is not None:
            task.cancel()

    def _cancelled_by_others(self) -> None:
        """The loop is going down, or somebody cancels every task: to start more now would leave them behind."""
        dropped = self._drop_waiting()
        self._batch.failures.append(
            Failure(
                HandlerCancelled(f"an item was cancelled by somebody else; {dropped} waiting item(s) were not started"),
                reported=True,
            )
        )

    def _drop_waiting(self) -> int:
        waiting = [handle for handle in self._waiting if not handle.done()]
        self._waiting.clear()
        for handle in waiting:
            self._settle(handle, cancelled=True)
        return len(waiting)

    async def _cancel_all(self) -> None:
        self._cancelling = True
        try:
            self._drop_waiting()
            tasks = [task for task in self._active.values() if task is not None]
            for task in tasks:
                task.cancel()
            await ended(tasks)
            # Their callbacks may not have run yet.
            for handle, item_task in list(self._active.items()):
                if item_task is not None:
                    self._ended(handle, item_task)
        finally:
            self._cancelling = False

    # ------------------------------------------------------------ the event loop

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        try:
            return asyncio.get_running_loop()
        except RuntimeError:
            raise ProcessorNotRunning(
                "start_processing() starts work in the running event loop, and there is none; "
                "call it from an async function"
            ) from None

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._loop:
            return
        if self._loop is not None and self._loop.is_closed():
            self._forget_loop()
        elif self._active or self._entered:
            raise WrongEventLoop(
                "this processor is at work in another event loop that is still open; make one processor per event loop"
            )
        self._loop = loop

    def _forget_loop(self) -> None:
        """What was in work in a loop that is closed never comes back."""
        for handle in self.tasks:
            handle.settle(cancelled=True)
        self._active = {}
        self._waiting.clear()
        self._batch = Batch()
        self._entered = False
