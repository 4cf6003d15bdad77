"""What start_processing() returns for each item: enough of an asyncio.Task to ask, await and cancel.

A task of its own for each waiting item would cost a coroutine and a place in the event loop before its turn comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from queue_processor.waiters import Waiters

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import Context

R = TypeVar("R")


class Handle(Generic[R]):
    """One item in the background. Awaiting it gives its result or raises its error."""

    __slots__ = ("_cancel", "_cancelled", "_done", "_error", "_result", "_watchers", "cancel_asked", "context", "item")

    def __init__(self, item: Any, context: Context, cancel: Callable[[Handle[R]], None]) -> None:
        self.item = item
        self.context: Context | None = context
        """The context of the start_processing() call, in which the item is processed."""
        self.cancel_asked = False
        self._cancel: Callable[[Handle[R]], None] | None = cancel
        self._done = False
        self._cancelled = False
        self._error: BaseException | None = None
        self._result: R | None = None
        self._watchers: Waiters | None = None

    def __repr__(self) -> str:
        return f"<Handle {self._state()}: {self.item!r}>"

    def __await__(self) -> Generator[Any, None, R]:
        """Wait for this item. Cancelling the wait does not cancel the item."""
        return self._wait().__await__()

    @property
    def watched(self) -> bool:
        """Whether anybody awaits it."""
        return bool(self._watchers)

    def done(self) -> bool:
        return self._done

    def cancelled(self) -> bool:
        return self._cancelled

    def result(self) -> R:
        """The result. Raises the item's error, CancelledError if cancelled, InvalidStateError if not done."""
        self._check_done()
        if self._error is not None:
            raise self._error
        return cast("R", self._result)

    def exception(self) -> BaseException | None:
        """The error or None. Raises CancelledError if cancelled, InvalidStateError if not done."""
        self._check_done()
        return self._error

    def cancel(self) -> bool:
        """Drop the item if it waits, cancel its handler if it is in work; False when it was done before."""
        if self._done or self._cancel is None:
            return False
        self.cancel_asked = True
        self._cancel(self)
        return True

    # ------------------------------------------------------------ for the processor

    def settle(self, *, result: R | None = None, error: BaseException | None = None, cancelled: bool = False) -> None:
        self._result, self._error, self._cancelled, self._done = result, error, cancelled, True
        # A handle may be kept for long: what belongs to the processor is let go.
        self.context = self._cancel = None
        if self._watchers:
            self._watchers.wake_all()

    async def _wait(self) -> R:
        while not self._done:
            if self._watchers is None:
                self._watchers = Waiters()
            await self._watchers.wait()
        return self.result()

    def _check_done(self) -> None:
        if not self._done:
            raise asyncio.InvalidStateError(f"the item {self.item!r} is not done yet; await the handle")
        if self._cancelled:
            raise asyncio.CancelledError

    def _state(self) -> str:
        if not self._done:
            return "pending"
        return "cancelled" if self._cancelled else "failed" if self._error is not None else "done"
