"""The outside world of an exploring loop: sockets, threads, child processes.

They are real. That a socket is ready, that a thread posts, that a job is to run in an executor: each is an arrival.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any

from shared_testing.evidence.thread_state import threads_compute
from shared_testing.exploration.jobs import Job, OwnPool, ahead_of, joined
from shared_testing.exploration.lazy_selector import LazySelector
from shared_testing.loop.other_ends import both_ends_are_in
from shared_testing.loop.outsiders import GRACE_SHARE, KnowsChildren, grace
from shared_testing.loop.standstill import has_connections, only_tasks_run, threads_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future
    from contextvars import Context

    from shared_testing.exploration.arrivals import Arrival, Arrivals
    from shared_testing.exploration.schedule import Schedule
    from shared_testing.loop.virtual_clock import VirtualClock

# Loopback data is there at once.
_GRACE = 0.001
_GRACE_SHARE_OF_THREADS = 0.2
"""Those of this process: each test waits for its own, and some of them sleep."""

# threading.active_count() takes a lock, and this is asked before each jump of the clock.
_THREADS = threading._active  # type: ignore[attr-defined]

# Between two looks at the threads while the loop waits for sockets.
_SLICE = 0.002

_STALL = 0.25
"""Real seconds between two looks whether anything can still happen."""
_SILENT = 60.0
"""Real seconds without a sign of those outside of this process, after which nobody is expected any more."""

_SOCKETS_OF_THREADS = 1_000_000
_SOCKETS = 2_000_000


class Outside(KnowsChildren):
    """The doors of the loop. What comes in is handed to ``arrive``."""

    clock: VirtualClock
    schedule: Schedule
    arrivals: Arrivals
    arrive: Callable[..., Arrival]
    _selector: Any
    # There before it is made: a signal may end the making, and the finalizer asks.
    _ssock: Any = None
    _csock: Any
    _thread_id: int | None
    _default_executor: Executor | None
    _ready: Any
    _debug: bool
    _signal_handlers: dict[int, Any]

    def __init__(self) -> None:
        self._inbox: deque[tuple[asyncio.Handle, int]] = deque()
        self._posted: threading.Event | None = None
        self._io_pending: set[asyncio.Handle] = set()
        self._io_numbers: dict[object, int] = {}
        self._jobs: dict[asyncio.Handle, Job] = {}
        self._free_jobs = 0
        self._silent_since = 0.0
        self._threads_before = len(_THREADS)
        super().__init__(LazySelector())

    def close(self) -> None:
        super().close()
        # As asyncio does with its own: a result holds the loop for longer than it holds the program.
        self.arrivals.pending.clear()
        self._inbox.clear()
        self._io_pending.clear()
        self._jobs.clear()

    # ------------------------------------------------------------ sockets

    def _make_self_pipe(self) -> None:
        # Most runs have no use for it: it is made for signals only. Threads set an event.
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        if self._ssock is not None:
            super()._close_self_pipe()  # type: ignore[misc]

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        if self._csock is None:
            super()._make_self_pipe()  # type: ignore[misc]
        super().add_signal_handler(sig, callback, *args)

    def _write_to_self(self) -> None:
        if self._posted is not None:
            self._posted.set()

    def _add_callback(self, handle: asyncio.Handle) -> None:
        """A socket is ready. asyncio says so again in each turn until somebody reads; once is enough."""
        if handle._cancelled or handle in self._io_pending:
            return
        self._io_pending.add(handle)
        number = self._io_numbers.setdefault(handle, _SOCKETS + len(self._io_numbers))
        self.arrive(handle, owner=number)

    # ------------------------------------------------------------ threads

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self._check_closed()  # type: ignore[attr-defined]
        if self._thread_id is None or self._thread_id == threading.get_ident():
            handle = self.call_soon(callback, *args, context=context)
            if handle._source_traceback:  # type: ignore[attr-defined]
                del handle._source_traceback[-1]  # type: ignore[attr-defined]
            return handle
        if self._debug:
            self._check_callback(callback, "call_soon_threadsafe")  # type: ignore[attr-defined]
        handle = asyncio.Handle(callback, args, self, context)
        if handle._source_traceback:  # type: ignore[attr-defined]
            del handle._source_traceback[-1]  # type: ignore[attr-defined]
        self.schedule.posted_by[f"when the thread {threading.current_thread().name!r} posts to the loop"] = None
        self._inbox.append((handle, threading.get_ident()))
        self._write_to_self()
        return handle

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        self._check_closed()  # type: ignore[attr-defined]
        if self._debug:
            self._check_callback(func, "run_in_executor")  # type: ignore[attr-defined]
        if executor is None:
            self._check_default_executor()  # type: ignore[attr-defined]
        future = self.create_future()
        handle = asyncio.Handle(_nothing, (), self)
        self._jobs[handle] = Job(future, executor or self._default_executor, func, args)
        self.arrive(handle)
        return future

    def unpacked(self, handle: asyncio.Handle) -> asyncio.Handle:
        """What is to be called for an arrival that is delivered."""
        self._io_pending.discard(handle)
        job = self._jobs.pop(handle, None)
        return handle if job is None else self._run_job(job)

    def _run_job(self, job: Job) -> asyncio.Handle:
        # Here, and not in the callback: a callback that waits for a thread would be one that blocks the loop.
        if job.future.cancelled():
            job.drop()
            return asyncio.Handle(_nothing, (), self)
        for earlier in ahead_of(job, self._jobs):
            self._ready.append(self._run_job(self._jobs.pop(earlier)))
            earlier.cancel()
            self.arrivals.some_cancelled = True
        executor = job.executor or self._default_executor
        if executor is None:
            executor = self._default_executor = OwnPool(4, thread_name_prefix="asyncio")
        work = job.start(executor)
        if joined(work, self._inbox):
            self.schedule.uncontrolled = self.schedule.uncontrolled or (job.why_free() if job.ran_free() else "")
            return asyncio.Handle(job.hand_over, (work,), self)
        self._free_jobs += 1
        self.schedule.uncontrolled = job.why_free()

        def ended(work: Future[Any]) -> None:
            self._free_jobs -= 1
            job.hand_over(work)

        work.add_done_callback(lambda work: self._post_result(ended, work))
        return asyncio.Handle(_nothing, (), self)

    def _post_result(self, ended: Callable[..., object], work: Future[Any]) -> None:
        if not self.is_closed():
            self._inbox.append((asyncio.Handle(ended, (work,), self), threading.get_ident()))
            self._write_to_self()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002 - real seconds
        self._executor_shutdown_called = True
        if self._default_executor is not None:
            while self._free_jobs:  # noqa: ASYNC110 - they end on threads, in real time
                await asyncio.sleep(0.01)
            self._default_executor.shutdown(wait=True)

    # ------------------------------------------------------------ child processes

    async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> asyncio.SubprocessTransport:
        self.schedule.uncontrolled = "a child process runs in its own time"
        return await super()._make_subprocess_transport(*args, **kwargs)

    # ------------------------------------------------------------ looking out

    def look_outside(self) -> None:
        """Take what has come, without waiting."""
        self._poll(0)

    def may_hear_from_outside(self) -> bool:
        """Whether a socket, a thread, a child process or a free job could come before the next arrival."""
        return bool(
            self._selector.kernels is not None
            or self._free_jobs > 0
            or self._children is not None
            # Most programs have no thread at all, and need not ask further.
            or ((len(_THREADS) > self._threads_before or self.schedule.posted_by) and self._threads_may_post())
        )

    def wait_outside(self, next_at: float | None) -> None:
        """Nothing is ready before `next_at`, when the clock could jump: see whether real I/O comes first."""
        if self._free_jobs:
            # Real work takes no virtual time.
            self._poll(_STALL)
        elif self.has_children():
            self._live_in_real_time(next_at)
        elif has_connections(self) or self._signal_handlers or self._selector.kernels is None:
            threads = self._threads_may_post()
            self._poll(self._grace(next_at, threads=threads))
            if threads:
                self._let_threads_post()

    def _let_threads_post(self) -> None:
        """Whoever computes just now may be about to, and on a busy machine that takes its time."""
        given_up = perf_counter() + _STALL
        while threads_compute() and perf_counter() < given_up:
            self._poll(_SLICE)
        # It may have posted since the last look.
        self._poll(0)

    def _grace(self, next_at: float | None, *, threads: bool) -> float:
        """Real seconds in which others may answer before the clock jumps there."""
        ahead = next_at - self.clock._time if next_at is not None else 0.0
        return grace(ahead, _GRACE, _GRACE_SHARE_OF_THREADS if threads else GRACE_SHARE)

    def _threads_may_post(self) -> bool:
        """Whether the program has threads of its own, which answer as soon as they can."""
        workers = len(getattr(self._default_executor, "_threads", ()))
        return (bool(self.schedule.posted_by) or len(_THREADS) > self._threads_before + workers) and threads_run()

    def _live_in_real_time(self, next_at: float | None) -> None:
        """Nobody knows what a child process waits for: let its seconds be ours."""
        begun = perf_counter()
        limit = _STALL if next_at is None else next_at - self.clock._time
        self._poll(min(limit, _STALL))
        passed = perf_counter() - begun
        self.clock._time += passed if next_at is None else min(passed, limit)

    def stands_still(self) -> bool:
        """Whether nothing can happen any more, when nothing is ready and no arrival is to come."""
        if self._free_jobs or self.has_children():
            return False
        proved = only_tasks_run(self)
        # A thread may have posted, and ended, before it was looked for.
        self._poll(0 if proved else _STALL)
        if self.arrivals or self._ready:
            self._silent_since = 0.0
            return False
        if proved:
            return True
        self._silent_since = self._silent_since or perf_counter()
        return both_ends_are_in(self) or perf_counter() - self._silent_since > _SILENT

    def _poll(self, timeout: float) -> None:
        if self._selector.get_map():
            self._poll_sockets(timeout)
        elif timeout:
            self._wait_for_threads(timeout)
        while self._inbox:
            handle, thread = self._inbox.popleft()
            number = self._io_numbers.setdefault(thread, _SOCKETS_OF_THREADS + len(self._io_numbers))
            self.arrive(handle, source=thread, owner=number)

    def _wait_for_threads(self, timeout: float) -> None:
        # Made before the last look: a thread posts first, and then wakes whom it finds.
        self._posted = self._posted or threading.Event()
        if not self._inbox:
            self._posted.wait(timeout)
        self._posted.clear()

    def _poll_sockets(self, timeout: float) -> None:
        until = perf_counter() + timeout if timeout else 0.0
        while True:
            events = self._selector.select(min(timeout, _SLICE))
            if events:
                self._process_events(events)  # type: ignore[attr-defined]
            if events or not timeout or self._inbox or perf_counter() >= until:
                return


def _nothing() -> None:
    pass
