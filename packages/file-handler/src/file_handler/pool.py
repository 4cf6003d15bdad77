"""A few threads for blocking calls, which nobody has to wait for.

asyncio's default executor is shared with DNS look-ups, so stuck reads would starve them; and the threads of
``concurrent.futures.ThreadPoolExecutor`` are joined at exit, so one stuck read would hang the interpreter. These
threads are the handler's own, start when needed, are daemons, and end when the handler is closed or forgotten.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from file_handler.errors import HandlerClosed
from file_handler.thread_results import resolve, wait_until_done

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

# Turns of the loop in which a thread that has said goodbye ends, even on an overloaded machine.
_LAST_TURNS = 10_000

# How long closing waits, without blocking the loop, for threads that are at work.
CLOSE_SECONDS = 1.0


class Job:
    """A call and the future of its result."""

    __slots__ = ("_call", "future")

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self.future: Future[object] = Future()

    def run(self, before_telling: Callable[[], object] = lambda: None) -> None:
        """Make the call, then `before_telling`'s, then tell whoever waits."""
        if not self.future.set_running_or_notify_cancel():
            before_telling()
            return
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the job
            before_telling()
            self.future.set_exception(error)
        else:
            before_telling()
            self.future.set_result(result)


class _Crew:
    """The threads and their queue; knows nothing of the pool, so that a forgotten pool can be collected."""

    def __init__(self, threads: int, name: str) -> None:
        self.limit = threads
        self.name = name
        self.changed = threading.Condition()
        self.jobs: deque[Job] = deque()
        self.threads: set[threading.Thread] = set()
        self.idle: set[threading.Thread] = set()
        self.stopped = False
        self.gone: Future[None] = Future()

    def add(self, job: Job) -> None:
        with self.changed:
            if self.stopped:
                raise HandlerClosed("this AsyncFileHandler is closed; make a new one")
            self.jobs.append(job)
            if len(self.jobs) > len(self.idle) and len(self.threads) < self.limit:
                self._start_thread()
            else:
                self.changed.notify()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self.work, name=f"{self.name}-{len(self.threads)}", daemon=True)
        self.threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # no more threads on this machine: those at work will come to the job
            self.threads.discard(thread)
            if not self.threads:
                self.jobs.pop()
                raise

    def work(self) -> None:
        while (job := self.next_job()) is not None:
            job.run()
            del job  # or the idle thread would keep the last job's arguments alive

    def next_job(self) -> Job | None:
        me = threading.current_thread()
        with self.changed:
            self.idle.add(me)
            while not self.jobs and not self.stopped:
                self.changed.wait()
            self.idle.discard(me)
            if self.jobs:
                return self.jobs.popleft()
            self.threads.discard(me)
            self._note_if_gone()
            return None

    def _note_if_gone(self) -> None:
        if self.stopped and not self.threads:
            resolve(self.gone)

    def stop(self) -> None:
        """Take no more jobs; threads end when those given are done."""
        with self.changed:
            self.stopped = True
            self._note_if_gone()
            self.changed.notify_all()


class DaemonPool(Executor):
    """An executor of at most `threads` daemon threads."""

    def __init__(self, threads: int, name: str = "file-handler") -> None:
        if threads < 1:
            raise ValueError(f"threads={threads}: file work needs at least 1 thread")
        self._crew = _Crew(threads, name)
        self._stop = weakref.finalize(self, _Crew.stop, self._crew)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job = Job(lambda: fn(*args, **kwargs))
        self._crew.add(job)
        return job.future  # type: ignore[return-value]

    def shutdown(
        self,
        wait: bool = True,  # noqa: ARG002, FBT - the executor's signature
        *,
        cancel_futures: bool = False,
    ) -> None:
        """Take no more jobs. Never waits for a running one: it may be stuck."""
        self._stop()
        if cancel_futures:
            for job in list(self._crew.jobs):
                job.future.cancel()

    async def close(self) -> None:
        """Shut down, and wait until the threads have ended, at most `CLOSE_SECONDS`: one may be stuck."""
        leaving = set(self._crew.threads)
        self.shutdown()
        await wait_until_done([self._crew.gone], CLOSE_SECONDS)
        # They have said goodbye, and end within microseconds. Not join(): the loop would stand still meanwhile.
        for _ in range(_LAST_TURNS):
            if not any(thread.is_alive() for thread in leaving - self._crew.threads):
                break
            await asyncio.sleep(0)

    @property
    def thread_count(self) -> int:
        """How many threads are alive."""
        return len(self._crew.threads)
