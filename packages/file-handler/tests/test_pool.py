"""The threads: few, started when needed, never waited for when stuck, gone with their owner."""

from __future__ import annotations

import gc
import threading

import pytest

from file_handler import HandlerClosed
from file_handler import pool as pool_module
from file_handler.pool import DaemonPool


def test_threads_start_when_needed() -> None:
    """A pool without work has no thread; one job after another needs one."""
    pool = DaemonPool(4)
    assert pool.thread_count == 0
    assert pool.submit(divmod, 7, 2).result() == (3, 1)
    assert pool.thread_count == 1
    pool.shutdown()


def test_there_are_never_more_threads_than_asked_for() -> None:
    """Ten jobs on two threads: two run, eight wait, all finish."""
    pool = DaemonPool(2)
    barrier = threading.Barrier(2)
    jobs = [pool.submit(barrier.wait, 30) for _ in range(10)]
    assert sorted(job.result() for job in jobs) == [0] * 5 + [1] * 5
    assert pool.thread_count == 2
    pool.shutdown()


def test_errors_go_to_whoever_waits() -> None:
    """Even those that would end a thread."""
    pool = DaemonPool(1)

    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        pool.submit(leave).result()
    assert pool.submit(abs, -1).result() == 1
    pool.shutdown()


def test_a_cancelled_job_does_not_run() -> None:
    """It is skipped when its turn comes."""
    pool = DaemonPool(1)
    hold = threading.Event()
    pool.submit(hold.wait, 30)
    ran = pool.submit(pytest.fail, "ran all the same")
    assert ran.cancel()
    hold.set()
    assert pool.submit(abs, -1).result() == 1
    pool.shutdown()


async def test_closing_ends_the_threads_and_refuses_work() -> None:
    """What was given is done first."""
    pool = DaemonPool(1, "to-be-closed")
    assert pool.submit(abs, -1).result() == 1
    await pool.close()
    assert [thread for thread in threading.enumerate() if thread.name.startswith("to-be-closed")] == []
    with pytest.raises(HandlerClosed):
        pool.submit(abs, -1)


async def test_closing_does_not_wait_for_a_stuck_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the interpreter: the thread is a daemon. (F13)"""
    pool = DaemonPool(1, "stuck")
    hold, started = threading.Event(), threading.Event()

    def get_stuck() -> None:
        started.set()
        hold.wait(30)

    pool.submit(get_stuck)
    started.wait(30)
    monkeypatch.setattr(pool_module, "CLOSE_SECONDS", 0)
    await pool.close()
    pool.shutdown(wait=True)
    (thread,) = [thread for thread in threading.enumerate() if thread.name.startswith("stuck")]
    assert thread.daemon
    hold.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_forgotten_pool_ends_its_threads() -> None:
    """Nobody needs to close it, and the last job's arguments are not kept alive."""
    pool = DaemonPool(2, "forgotten")
    pool.submit(lambda pool: pool.thread_count, pool).result()
    (thread,) = [thread for thread in threading.enumerate() if thread.name.startswith("forgotten")]
    del pool
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


def test_no_thread_at_all_is_refused() -> None:
    """A pool of nobody would wait for ever."""
    with pytest.raises(ValueError, match="at least 1 thread"):
        DaemonPool(0)
