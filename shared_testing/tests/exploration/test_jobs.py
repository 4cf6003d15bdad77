"""Jobs in the program's own executors: these answer as they do to asyncio, and keep the order that they keep there."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing import explore
from shared_testing.exploration import jobs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class _OneThread(Executor):
    """Of the program's own making: a job after another, on a pool that it shares."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._closed:
            raise LookupError("closed")
        job: tuple[Future[Any], Callable[[], Any]] = (Future(), partial(fn, *args, **kwargs))
        with self._lock:
            self._jobs.append(job)
            if len(self._jobs) == 1:
                self._pool.submit(self._run_all)
        return job[0]

    def _run_all(self) -> None:
        more = True
        while more:
            future, call = self._jobs[0]
            result = call()
            with self._lock:
                self._jobs.popleft()
                more = bool(self._jobs)
            future.set_result(result)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._closed = True


class _AtOnce(Executor):
    """Runs a job where it is given, as tests like to."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _shared(pool: ThreadPoolExecutor) -> Executor:
    return pool


def _alone(_: ThreadPoolExecutor) -> Executor:
    return ThreadPoolExecutor(1)


def _at_once(_: ThreadPoolExecutor) -> Executor:
    return _AtOnce()


def _passes(
    scenario: Callable[[Executor], Awaitable[None]], executor: Callable[[ThreadPoolExecutor], Executor]
) -> None:
    async def run() -> None:
        pool = ThreadPoolExecutor(2)
        try:
            await scenario(executor(pool))
        finally:
            pool.shutdown(wait=False)

    result = explore(run, schedules=10)
    assert result.failure is None
    assert result.uncontrolled == []


async def _answers(executor: Executor) -> None:
    """Each to the one who asked, whatever comes first."""
    loop = asyncio.get_running_loop()
    assert await asyncio.gather(*(loop.run_in_executor(executor, abs, -number) for number in range(5))) == list(
        range(5)
    )


@pytest.mark.parametrize("executor", [_shared, _OneThread, _at_once])
def test_more_jobs_than_threads_are_all_done(executor: Callable[[ThreadPoolExecutor], Executor]) -> None:
    """Who waits for a thread is not taken for one that takes long."""
    _passes(_answers, executor)


async def _in_order(executor: Executor) -> None:
    loop = asyncio.get_running_loop()
    done: list[int] = []
    told: list[int] = []

    async def work(number: int) -> None:
        await loop.run_in_executor(executor, done.append, number)
        told.append(number)

    await asyncio.gather(*map(work, range(3)))
    assert done == [0, 1, 2]
    assert told == [0, 1, 2]


@pytest.mark.parametrize("executor", [_alone, _OneThread])
def test_the_jobs_of_one_thread_keep_their_order(executor: Callable[[ThreadPoolExecutor], Executor]) -> None:
    """One thread is a lock that many programs rely on; and what it posts comes in order."""
    _passes(_in_order, executor)


def test_the_jobs_of_two_threads_need_not() -> None:
    """Then it is a race."""

    async def run() -> None:
        with ThreadPoolExecutor(2) as pool:
            await _in_order(pool)

    found = explore(run)
    assert found.failure is not None
    assert found.deviations == 1
    assert found.uncontrolled == []


@pytest.mark.parametrize(("executor", "error"), [(_shared, RuntimeError), (_OneThread, LookupError)])
def test_a_closed_executor_refuses_the_call(
    executor: Callable[[ThreadPoolExecutor], Executor], error: type[Exception]
) -> None:
    """In the line that makes it, as under asyncio; the loop itself goes on."""

    async def refused(executor: Executor) -> None:
        executor.shutdown()
        with pytest.raises(error):
            asyncio.get_running_loop().run_in_executor(executor, abs, 1)

    _passes(refused, executor)


@pytest.mark.parametrize("executor", [_shared, _OneThread])
def test_what_was_given_to_an_executor_before_it_was_closed_is_done(
    executor: Callable[[ThreadPoolExecutor], Executor],
) -> None:
    """`Executor.shutdown()` documents it."""

    async def closed_early(executor: Executor) -> None:
        given = [asyncio.get_running_loop().run_in_executor(executor, abs, -number) for number in range(2)]
        executor.shutdown(wait=False)
        assert await asyncio.gather(*given) == [0, 1]

    _passes(closed_early, executor)


def test_a_job_that_the_executor_has_cancelled_is_cancelled() -> None:
    """`shutdown(cancel_futures=True)` takes those that wait for a thread."""

    async def cancelled(executor: Executor) -> None:
        loop = asyncio.get_running_loop()
        given = [loop.run_in_executor(executor, abs, -number) for number in range(3)]
        executor.shutdown(wait=False, cancel_futures=True)
        told = await asyncio.gather(*given, return_exceptions=True)
        assert isinstance(told[-1], asyncio.CancelledError)

    _passes(cancelled, _shared)


@pytest.mark.allow_finding("AT201", reason="that is what it does")
def test_who_waits_for_the_threads_on_the_loop_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """It blocks the loop, and is correct: the end of the block promises that all is done. Said as uncontrolled."""
    monkeypatch.setattr(jobs, "_LOOKS", 6)
    done: list[int] = []

    async def block() -> None:
        done.clear()
        with ThreadPoolExecutor(1) as pool:
            job = asyncio.get_running_loop().run_in_executor(pool, done.append, 1)
        assert done == [1]
        await job

    result = explore(block, schedules=2)
    assert result.failure is None
    assert any("list.append" in each for each in result.uncontrolled)


def test_a_cancelled_job_holds_nobody_up() -> None:
    """Its thread is free at once."""

    async def cancelled(executor: Executor) -> None:
        job = asyncio.get_running_loop().run_in_executor(executor, pytest.fail, "ran all the same")
        job.cancel()
        executor.shutdown()

    _passes(cancelled, _shared)
