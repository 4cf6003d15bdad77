"""Run the jobs of one file one after another, on a shared pool.

A coroutine that is cancelled leaves its job running in a thread. Whatever must come after that job (closing the
file, removing a draft, letting the next writer in) is queued on the same strand, and so cannot overtake it.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from file_handler.pool import Job

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class Strand(Executor):
    """An executor whose jobs never overlap and keep their order."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._active = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job = Job(lambda: fn(*args, **kwargs))
        with self._lock:
            if not self._active:
                self._pool.submit(self._run_all)  # waits for our lock before it looks for the job
                self._active = True
            self._jobs.append(job)
        return job.future  # type: ignore[return-value]

    def _run_all(self) -> None:
        more = True

        def look_further() -> None:
            # Before the result is told: whoever then finds the strand idle may close the file at once.
            nonlocal more
            with self._lock:
                more = self._active = bool(self._jobs)

        while more:
            with self._lock:
                job = self._jobs.popleft()
            job.run(look_further)

    @property
    def idle(self) -> bool:
        """Whether no job is running or waiting."""
        return not self._active

    def after_all(self, fn: Callable[[], object]) -> None:
        """Call `fn` when the jobs given so far are done: in this thread, now, if there are none."""
        with self._lock:
            if self._active:
                self._jobs.append(Job(fn))
                return
        fn()
