"""The asyncio tasks of one run: they are started, stopped and waited for here, and an error ends them all.

asyncio.TaskGroup is close, but it wraps every error into a group, lets an error wait until the block's end,
and has no way to stop early without one.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from task_queue.result import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

# So many of the errors beside the first one are told in its notes.
_NOTED: Final = 10


class Crew:
    """`on_left` is called when a member has ended, `on_end` when the last has, `on_halt` when the run is stopped."""

    def __init__(
        self, on_left: Callable[[], object], on_halt: Callable[[], object], on_end: Callable[[], object]
    ) -> None:
        self.stopping = False
        """Nothing more is to be started, and who is at work has been cancelled."""
        self._on_left = on_left
        self._on_halt = on_halt
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        # Each member starts from the caller's context variables, and changes only its own copy.
        self._context = contextvars.copy_context()
        # A dict for its order: tasks are cancelled in the order in which they were started.
        self._members: dict[asyncio.Task[None], None] = {}
        self._waiting: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._also: deque[str] = deque(maxlen=_NOTED)

    def __len__(self) -> int:
        return len(self._members)

    def start(self, work: Callable[[], Coroutine[Any, Any, None]], role: str) -> None:
        """Start a member. Whatever it raises, it is to catch and to hand to `mind`."""
        # Not loop.create_task(): with an eager task factory each member would run inside the one that started it.
        task = asyncio.Task(work(), loop=self._loop, name=f"AsyncTaskQueue {role}", context=self._context.copy())
        self._members[task] = None
        task.add_done_callback(self._left)

    async def finish(self) -> None:
        """Return when all have ended, or when they are being stopped. Cancelling it stops nobody."""
        if self._members:
            self._waiting = self._loop.create_future()
            await self._waiting

    async def stop(self) -> None:
        """Cancel whoever is still at work, and return when all have ended, however long they take to clean up.

        A cancellation that comes meanwhile is passed on to them once more, and raised at the end.
        """
        cancelled: asyncio.CancelledError | None = None
        if self._members and not self.stopping:  # A second cancellation would interrupt their clean-up.
            self._halt()
        while self._members:
            try:
                await self.finish()
            except asyncio.CancelledError as error:
                cancelled = error
                self._halt()
        # These are methods of the run that owns this crew: the two would keep each other until a collection.
        self._on_left = self._on_halt = self._on_end = _nothing
        if cancelled is not None:
            raise cancelled

    def mind(self, error: BaseException) -> None:
        """A member ends with this error: so does the run, unless somebody has cancelled the member."""
        if not isinstance(error, asyncio.CancelledError):
            self.abort(error)
        elif not self.stopping and not current_task().cancelling():
            # Not a cancellation of ours, but an error that the caller would take for its own cancellation.
            instead = RuntimeError("the iterable of tasks, or the progress callback, raised CancelledError")
            instead.__cause__ = error
            self.abort(instead)

    def abort(self, error: BaseException) -> None:
        """End the run with this error. The first one counts, but an exit or interrupt goes before errors."""
        if self._failure is None:
            self._failure = error
        elif is_ordinary(self._failure) and not is_ordinary(error):
            self.note(shortened(self._failure))
            self._failure = error
        else:
            self.note(shortened(error))
        if not self.stopping:
            self._halt()

    def note(self, text: str) -> None:
        """Let the error that ends the run tell of another."""
        self._also.append(text)

    def raise_failure(self, beside: BaseException | None) -> None:
        """Raise the error that ended the run, if one did.

        `beside`: what the caller is being left with anyway. That is not lost to a task's error, only to an
        exit or interrupt; a generator that is closed has nobody to tell but whoever closes it.
        """
        failure, self._failure = self._failure, None
        if failure is None or not (beside is None or isinstance(beside, GeneratorExit) or not is_ordinary(failure)):
            return
        if self._also:
            with suppress(Exception):  # An exception class may forbid all attributes: a frozen dataclass does.
                failure.add_note(f"errors of other tasks: {'; '.join(self._also)}")
        try:
            raise failure
        finally:
            # This frame is in the error's traceback: together they would be a cycle, and live until a collection.
            del failure

    def _halt(self) -> None:
        self.stopping = True
        me = asyncio.current_task()
        for task in self._members:
            if task is not me:
                task.cancel()
        self._on_halt()
        self._ring()

    def _ring(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _left(self, task: asyncio.Task[None]) -> None:
        del self._members[task]
        self._on_left()
        if not self._members:
            self._on_end()
            self._ring()


def _nothing() -> None:
    """Nobody is interested any more."""


def current_task() -> asyncio.Task[Any]:
    """The asyncio task that runs this."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - Only called in coroutines, and a coroutine that runs is some task's.
    return task


def is_ordinary(error: BaseException) -> bool:
    """Whether it is a task's affair, as opposed to KeyboardInterrupt, SystemExit and their like."""
    return isinstance(error, (Exception, asyncio.CancelledError))
