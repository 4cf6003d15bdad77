"""What goes wrong in the queue itself. A task's own errors are passed on as they are."""

from __future__ import annotations


class TaskTimeoutError(TimeoutError):
    """A task took longer than the queue's `timeout`."""


class TaskCancelledError(RuntimeError):
    """A task ended in CancelledError although nobody was stopping the run (only raised with on_error="raise").

    Not a CancelledError: that would tell the caller that *it* has been cancelled.
    """


class NotAsyncError(TypeError):
    """What was given as a task's function cannot be awaited."""


class MalformedTaskError(TypeError):
    """An item is not a ``(task_id, func, args, kwargs)``."""


class DuplicateTaskError(ValueError):
    """Two tasks of one ``process_all`` have the same id, so their results could not be told apart."""


class ReentrantCallError(RuntimeError):
    """A task called the queue it runs in, and would wait for the place that it occupies itself."""


class QueueInUseError(RuntimeError):
    """The queue is working in another event loop."""
