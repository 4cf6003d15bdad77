from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing import settle
from task_queue import AsyncTaskQueue, RetryPolicy, Status, TaskTimeoutError

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock

Numbered = Callable[..., list[Any]]


async def test_a_task_that_hangs_is_timed_out(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """One hung task costs its timeout and nothing more; the others are not touched (T12)."""
    never, slow = tasks.never(), tasks.slow(1, "done")
    first, second = await AsyncTaskQueue(1, timeout=5).process_all([("n", never, (), {}), ("s", slow, (), {})])
    assert (first.status, second.result, first.duration, never.cancelled) == (Status.TIMED_OUT, "done", 5, 1)
    assert isinstance(first.error, TaskTimeoutError)
    assert str(first.error) == "task 'n' took longer than its 5 s and was cancelled"
    assert "create_future" in first.error_text


async def test_the_tasks_own_timeout_error_is_its_own(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """A TimeoutError from within the task is a failure, not the queue's timeout."""
    result = await AsyncTaskQueue(timeout=5).process_task("a", tasks.failing(TimeoutError("server"), after=1))
    assert (result.status, str(result.error)) == (Status.FAILED, "server")


async def test_a_task_that_ignores_its_timeout_is_late_all_the_same(virtual_clock: VirtualClock) -> None:
    """Whoever swallows the cancellation keeps its place until it ends, and is reported as timed out."""

    async def stubborn() -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
        return "late"

    result = await AsyncTaskQueue(timeout=5).process_task("a", stubborn)
    assert (result.status, result.result, result.duration) == (Status.TIMED_OUT, None, 6)


async def test_an_error_while_timing_out_is_the_cause(virtual_clock: VirtualClock) -> None:
    """What goes wrong in the task's clean-up is told along with the timeout."""

    async def clumsy() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise ValueError("clean-up")

    result = await AsyncTaskQueue(timeout=5).process_task("a", clumsy)
    assert result.status is Status.TIMED_OUT
    assert result.error is not None
    assert repr(result.error.__cause__) == "ValueError('clean-up')"


async def test_the_timeout_covers_all_attempts(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """Retries and the waits between them do not add to a task's time, and a timeout is not tried again."""
    failing = tasks.failing(OSError("down"), after=2)
    queue = AsyncTaskQueue(timeout=5, retry=RetryPolicy(attempts=100, base=0))
    result = await queue.process_task("a", failing)
    assert (result.status, result.duration, result.attempts) == (Status.TIMED_OUT, 5, 3)


async def test_a_cancelled_run_is_not_a_timeout(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """Cut off at the very moment of its timeout, a task is one or the other, and the caller is cancelled."""
    queue = AsyncTaskQueue(timeout=5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.process_all([("a", tasks.never(), (), {})]), 5)
    assert [result.status for result in queue.results] in ([Status.CUT_OFF], [Status.TIMED_OUT])


async def test_cancellation_is_not_tried_again(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """A run that is cancelled while a task waits for its next try ends at once."""
    queue = AsyncTaskQueue(retry=RetryPolicy(base=1000))
    failing = tasks.failing(OSError("down"))
    run = asyncio.create_task(queue.process_all([("a", failing, (), {})]))
    await settle()
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
    assert [(result.status, result.attempts) for result in queue.results] == [(Status.CUT_OFF, 1)]


async def test_synchronous_functions_run_in_threads_on_request(numbered: Numbered) -> None:
    """With threads=True, a synchronous function leaves the loop free; arguments and context go along."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("seen")
    here = threading.get_ident()

    def sync(number: int, *, add: int) -> tuple[int, str, bool]:
        return number + add, variable.get(), threading.get_ident() == here

    result = await AsyncTaskQueue(threads=True).process_task("a", sync, 1, add=2)
    assert result.result == (3, "seen", False)
    for thread in threading.enumerate():
        if "task-queue" in thread.name:
            # It has been told to end, and may need a moment.
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()


async def test_async_functions_stay_on_the_loop_with_threads() -> None:
    """threads=True is for those that need it."""

    async def where() -> int:
        return threading.get_ident()

    assert (await AsyncTaskQueue(threads=True).process_task("a", where)).result == threading.get_ident()


async def test_an_awaitable_from_a_thread_is_awaited() -> None:
    """A plain function that turns out to return a coroutine gets it awaited."""

    def disguised() -> Any:
        return getattr(asyncio, "sleep")(0, "slept")  # noqa: B009 - so that nothing speaks for the function

    assert (await AsyncTaskQueue(threads=True).process_task("a", disguised)).result == "slept"


async def test_threads_are_limited_and_fail_like_tasks(numbered: Numbered) -> None:
    """As many threads as places, and no more; an error in one is that task's error."""
    lock, both, running, peak = threading.Lock(), threading.Barrier(2, timeout=10), 0, 0

    def sync() -> None:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        both.wait()
        with lock:
            running -= 1
        raise ValueError

    results = await AsyncTaskQueue(2, threads=True).process_all(numbered(8, sync))
    assert peak == 2
    assert all(isinstance(result.error, ValueError) for result in results)


async def test_a_thread_is_waited_for(others: Callable[[], set[Any]]) -> None:
    """A thread cannot be stopped, so a cancelled run ends when its function has returned, however often cancelled."""
    begun, let_go = threading.Event(), threading.Event()
    finished: list[int] = []

    def sync() -> None:
        begun.set()
        let_go.wait(10)
        finished.append(1)

    queue = AsyncTaskQueue(threads=True)
    run = asyncio.create_task(queue.process_all([("a", sync, (), {})]))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        run.cancel()
        await settle()
    assert not run.done()
    let_go.set()
    await asyncio.wait([run])
    assert run.cancelled()
    assert finished == [1]
    assert [result.status for result in queue.results] == [Status.CUT_OFF]
    assert others() == set()
