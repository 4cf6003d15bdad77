"""A deadline for a block of code that can also be brought forward.

Does what ``asyncio.timeout_at`` does, in the same way, as a plain context manager: without the two coroutines
of that one it costs half, and each call has one. It swallows the cancellation instead of turning it into a
TimeoutError, because whoever uses it raises an error with more to say.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    from types import TracebackType


class TimeLimit:
    """``with TimeLimit(loop, due) as limit``: cancels the block at `due`, a time of the loop, and ends it quietly.

    After the block `expired` says whether that happened. A cancellation from elsewhere goes through as ever.
    """

    __slots__ = ("_before", "_task", "_timer", "expired")

    def __init__(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.expired = False
        self._task = cast("asyncio.Task[object]", asyncio.current_task(loop))
        self._before = self._task.cancelling()
        self._timer = loop.call_at(due, self.expire)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._timer.cancel()
        # uncancel() counts: more than before means that somebody else has cancelled the task as well.
        return self.expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError

    def expire(self) -> None:
        """End the block now; nothing happens when the block itself asks for it."""
        # Cancelled while it runs, the task might leave the block before it notices, and be cancelled somewhere else.
        if not self.expired and asyncio.current_task(self._task.get_loop()) is not self._task:
            self.expired = True
            self._task.cancel()
