"""Call one task's function: what the hot loop does not do itself.

That is everything but the plain case, an ``async def`` without timeout, retries and threads.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from task_queue.callables import Kind, kind_of
from task_queue.errors import NotAsyncError, TaskTimeoutError
from task_queue.result import Status, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from task_queue.retry import RetryPolicy


class Attempts:
    """What is known of a task's attempts even when the last one raised."""

    __slots__ = ("count", "timed_out")

    def __init__(self) -> None:
        self.count = 0
        self.timed_out = False

    def remark(self) -> Trouble | None:
        """What is to be said of a task that returned: nothing, if it did at its first attempt."""
        return Trouble(Status.FINISHED, None, self.count) if self.count > 1 else None


class Caller:
    """How the tasks of one run are called. `threads`: how many may be used for synchronous functions; 0 for none."""

    def __init__(self, timeout: float | None, retry: RetryPolicy | None, threads: int) -> None:
        self.timeout = timeout
        self.retry = retry
        self._threads = threads
        self._executor: ThreadPoolExecutor | None = None

    @property
    def plain(self) -> bool:
        """Whether an ``async def`` needs nothing but to be awaited."""
        return self.timeout is None and self.retry is None

    def close(self) -> None:
        """Let the threads end. Nothing runs in them any more; to join them would hold up the loop of a busy machine."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    async def call(
        self, attempts: Attempts, task_id: object, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Return what the task returns, within its timeout, after as many attempts as the policy allows."""
        kind = kind_of(func)
        start = self._starter(kind, task_id, func)
        if self.timeout is None:
            return await self._persist(attempts, task_id, start, args, kwargs)
        clock = asyncio.timeout(self.timeout)
        try:
            async with clock:
                value = await self._persist(attempts, task_id, start, args, kwargs)
        except Exception as error:
            if not clock.expired():
                raise
            attempts.timed_out = True
            # asyncio's TimeoutError comes from the CancelledError that knows where the task was waiting.
            raise self._too_long(task_id) from (error.__cause__ if type(error) is TimeoutError else error)
        if clock.expired():
            # It caught its cancellation and returned something: later than it was allowed to.
            attempts.timed_out = True
            raise self._too_long(task_id)
        return value

    def _too_long(self, task_id: object) -> TaskTimeoutError:
        return TaskTimeoutError(f"task {task_id!r} took longer than its {self.timeout:g} s and was cancelled")

    async def _persist(
        self,
        attempts: Attempts,
        task_id: object,
        start: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        while True:
            attempts.count += 1
            try:
                return await _await(start(*args, **kwargs), task_id, start)
            except Exception as error:
                if self.retry is None or isinstance(error, NotAsyncError):
                    raise
                if not self.retry.again(error, attempts.count):
                    raise
            await asyncio.sleep(self.retry.delay(attempts.count))

    def _starter(self, kind: Kind, task_id: object, func: Any) -> Callable[..., Any]:
        """What to call for something awaitable. Raises NotAsyncError, before anything of the task's has run."""
        if kind is Kind.ASYNC or kind is Kind.PERHAPS:
            return func  # type: ignore[no-any-return]
        if kind is Kind.PLAIN and self._threads:
            return functools.partial(self._in_thread, func)
        if inspect.iscoroutine(func):
            func.close()  # Or Python would warn, somewhere else, that it was never awaited.
        raise NotAsyncError(f"task {task_id!r}: {_name(func)} {_REFUSAL[kind]}")

    async def _in_thread(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="task-queue")
        call = functools.partial(contextvars.copy_context().run, func, *args, **kwargs)
        future = asyncio.get_running_loop().run_in_executor(self._executor, call)
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                # A thread cannot be stopped. To leave would let it run on behind the caller's back.
                cancelled = error
        if cancelled is not None:
            future.exception()  # Looked at, so that asyncio does not report it as lost.
            raise cancelled
        value = future.result()
        return await value if inspect.isawaitable(value) else value


async def _await(value: Any, task_id: object, func: Callable[..., Any]) -> Any:
    if not inspect.isawaitable(value):
        raise NotAsyncError(
            f"task {task_id!r}: {_name(func)} was called and returned {type(value).__name__}, which cannot be awaited; "
            "make it an async def"
        )
    return await value


_REFUSAL = {
    Kind.PLAIN: (
        "is not an async function, so it was not called: it would block the event loop. Make it an async def, "
        "give AsyncTaskQueue(threads=True), or, if it does return an awaitable, annotate that or wrap it in a lambda"
    ),
    Kind.GENERATOR: "is an async generator function: it is iterated over, not awaited. Wrap it in an async def",
    Kind.NOT_CALLABLE: "is not a function. Give the function and its arguments apart, not the result of a call",
}


def _name(func: object) -> str:
    return getattr(func, "__qualname__", None) or repr(func)
