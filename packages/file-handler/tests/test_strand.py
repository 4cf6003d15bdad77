"""Jobs of one file: in order, never two at once, and something that comes after them all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from file_handler import HandlerClosed
from file_handler.pool import DaemonPool
from file_handler.strand import Strand

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pool() -> Iterator[DaemonPool]:
    pool = DaemonPool(4)
    yield pool
    pool.shutdown()


def test_jobs_keep_their_order_and_never_overlap(pool: DaemonPool) -> None:
    """Though the pool has threads for four of them."""
    strand, seen, running = Strand(pool), list[int](), threading.Lock()

    def job(number: int) -> None:
        assert running.acquire(blocking=False)
        seen.append(number)
        running.release()

    for future in [strand.submit(job, number) for number in range(100)]:
        future.result()
    assert seen == list(range(100))


def test_it_is_busy_until_the_last_job_is_done(pool: DaemonPool) -> None:
    """While the second of two jobs runs, too: the next one must queue behind it."""
    strand, hold, second = Strand(pool), threading.Event(), threading.Event()
    strand.submit(hold.wait, 30)

    def run_second() -> bool:
        second.set()
        return hold_second.wait(30)

    hold_second = threading.Event()
    last = strand.submit(run_second)
    hold.set()
    assert second.wait(30)
    assert not strand.idle
    hold_second.set()
    assert last.result()
    assert strand.idle


def test_what_comes_after_all_waits_for_a_running_job(pool: DaemonPool) -> None:
    """So a file is never closed under the thread that reads it."""
    strand, hold, closed = Strand(pool), threading.Event(), threading.Event()
    running = strand.submit(hold.wait, 30)
    strand.after_all(closed.set)
    assert not closed.is_set()
    hold.set()
    assert running.result()
    assert closed.wait(30)


def test_what_comes_after_nothing_happens_at_once(pool: DaemonPool) -> None:
    """In the caller's thread, even when the pool has been closed."""
    strand, seen = Strand(pool), list[str]()
    strand.submit(abs, -1).result()
    strand.submit(abs, -1).result()
    pool.shutdown()
    strand.after_all(lambda: seen.append(threading.current_thread().name))
    assert seen == [threading.current_thread().name]


def test_a_closed_pool_refuses_and_the_strand_stays_usable_for_the_clean_up() -> None:
    """A refused job leaves nothing in the queue."""
    pool = DaemonPool(1)
    pool.shutdown()
    strand, seen = Strand(pool), list[int]()
    with pytest.raises(HandlerClosed):
        strand.submit(abs, -1)
    strand.after_all(lambda: seen.append(1))
    assert seen == [1]
