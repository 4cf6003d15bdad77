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


class NotSentError(ValueError):
    """A task cannot be handed to a worker: not registered there, its arguments are no JSON, or too large."""


class RemoteTaskError(RuntimeError):
    """A task failed in a worker with an exception of its own making; `kind` is that one's full name."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind = kind


class TaskLostError(RuntimeError):
    """A task was given up by its queue: each worker that began with it died, or was never heard of again."""
