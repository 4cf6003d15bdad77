"""Know a task that calls the queue it runs in.

It would wait for a place while it occupies one; when all places are taken so, nobody ever gets one.
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING

from task_queue.errors import ReentrantCallError

if TYPE_CHECKING:
    from task_queue.limit import Limit

_working_for: contextvars.ContextVar[tuple[Limit, ...]] = contextvars.ContextVar("task_queue_working_for", default=())


def work_for(limit: Limit) -> None:
    """From here on this context, and whatever is started from it, runs in a place of `limit`."""
    _working_for.set((*_working_for.get(), limit))


def refuse_reentry(limit: Limit) -> None:
    """Raise ReentrantCallError in a task that has a place of `limit`, and in whatever such a task has started."""
    if limit in _working_for.get():
        raise ReentrantCallError(
            "a task of this AsyncTaskQueue calls the queue it runs in. It would wait for a place while it occupies "
            "one, for ever when all are taken so; give the inner tasks an AsyncTaskQueue of their own"
        )
