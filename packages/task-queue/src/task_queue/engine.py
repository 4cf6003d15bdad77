"""Where a task's function is called: in this process, or by an engine elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from task_queue.errors import TaskTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from task_queue.call import Attempts
    from task_queue.retry import RetryPolicy


class Outcome(NamedTuple):
    """How one call ended."""

    value: Any
    error: BaseException | None
    """What the task raised; CancelledError if it ended so of its own accord."""
    seconds: float
    """How long it ran, without what it waited for a place."""


class Engine(Protocol):
    """Calls functions somewhere else. Places, order, retries and results stay with AsyncTaskQueue."""

    async def call(
        self,
        task_id: Hashable,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float | None,
    ) -> Outcome:
        """Call the task once, and end it after `timeout` seconds with TaskTimeoutError.

        Raises NotSentError when it cannot be called there at all. Cancelled, it takes the call back if nobody has
        begun with it.
        """


class EngineCaller:
    """Calls the tasks of one run by an engine."""

    plain = False

    def __init__(self, engine: Engine, timeout: float | None, retry: RetryPolicy | None) -> None:
        self.timeout = timeout
        self.retry = retry
        self._engine = engine

    def close(self) -> None:
        """The engine outlives the run."""

    async def call(
        self, attempts: Attempts, task_id: Hashable, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Return what the task returns, after as many attempts as the policy allows.

        What is waited for a free worker does not count against the timeout; what is waited between attempts does.
        """
        spent = 0.0
        while True:
            left = None if self.timeout is None else self.timeout - spent
            if left is not None and left <= 0:
                attempts.timed_out = True
                raise TaskTimeoutError(f"task {task_id!r} took longer than its {self.timeout:g} s, retries included")
            outcome = await self._engine.call(task_id, func, args, kwargs, left)
            attempts.count += 1
            if (error := outcome.error) is None:
                return outcome.value
            attempts.timed_out = isinstance(error, TaskTimeoutError)
            if attempts.timed_out or self.retry is None or not isinstance(error, Exception):
                raise error
            if not self.retry.again(error, attempts.count):
                raise error
            pause = self.retry.delay(attempts.count)
            spent += outcome.seconds + pause
            await asyncio.sleep(pause)
