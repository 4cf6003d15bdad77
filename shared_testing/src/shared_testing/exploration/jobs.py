"""Jobs of an exploring loop in executors.

A job runs in a real thread, when its arrival is delivered, while the loop waits: its effect falls on one point of the
schedule. One that takes long, or waits for the loop, runs free instead, and the result says so.

An executor of the program's own gets the job at once, as asyncio would hand it in: it may be closed, or have one thread
only. There the job waits for its arrival.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from asyncio import futures
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sized
    from concurrent.futures import Executor, Future

_PATIENCE = 0.25
"""Real seconds that a job may take before it runs free of the schedule."""
_POSTED_PATIENCE = 0.02
"""The same, once it has posted to the loop: it may wait for an answer."""
_LOOKS = round(_PATIENCE / _POSTED_PATIENCE)
"""So many times a job that waits for its arrival looks, before it takes the loop for blocked by whoever awaits it."""

_numbers = count()


class OwnPool(ThreadPoolExecutor):
    """The default executor of an exploring loop. Nobody else knows it, so it is asked only when a job arrives."""


class _Held:
    """A call that waits, in the thread that its executor has given it, until it may go."""

    def __init__(self, func: Callable[..., Any], future: asyncio.Future[Any]) -> None:
        self._func = func
        self._future = future
        self._home = threading.get_ident()
        self._loop: Any = future.get_loop()
        self.began = threading.Event()
        self.go = threading.Event()
        self.is_free = False

    def __call__(self, *args: Any) -> Any:
        self.began.set()
        # An executor may run a job right where it is given.
        if threading.get_ident() != self._home:
            self._wait()
        return None if self._future.cancelled() else self._func(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process it does not wait: nothing is shared there.
        return partial, (self._func,)

    def _wait(self) -> None:
        looks, turns = 0, self._loop.turns
        while not self.go.wait(_POSTED_PATIENCE) and not self._future.cancelled() and not self._loop.is_closed():
            looks, turns = (looks + 1, turns) if turns == self._loop.turns else (0, self._loop.turns)
            if looks == _LOOKS:
                self.is_free = True
                return


class Job:
    """A call in an executor."""

    __slots__ = ("_held", "_work", "args", "executor", "func", "future", "number")

    def __init__(
        self, future: asyncio.Future[Any], executor: Executor | None, func: Callable[..., Any], args: tuple[Any, ...]
    ) -> None:
        self.future = future
        self.executor = None if isinstance(executor, OwnPool) else executor
        self.func = func
        self.args = args
        self.number = next(_numbers)
        self._held: _Held | None = None
        self._work: Future[Any] | None = None
        if self.executor is not None:
            self._held = _Held(func, future)
            self._work = self.executor.submit(self._held, *args)

    def name(self) -> str:
        """As its user knows it: below what asyncio.to_thread() wraps around it."""
        func: Any = self.func
        inner = [*func.args, *self.args] if isinstance(func, partial) else [func]
        return str(next((each.__qualname__ for each in inner if hasattr(each, "__qualname__")), func))

    def start(self, executor: Executor) -> Future[Any]:
        """Let it run now. `executor`: for one that has none of its own."""
        if self._held is None or self._work is None:
            return executor.submit(self.func, *self.args)
        self._held.go.set()
        return self._work

    def drop(self) -> None:
        """Nobody waits for it any more."""
        if self._work is not None:
            self._work.cancel()

    def hand_over(self, work: Future[Any]) -> None:
        if not self.future.done():
            futures._copy_future_state(work, self.future)  # type: ignore[attr-defined]

    def has_a_thread(self) -> bool:
        """Whether its executor has come to it, which takes it a moment."""
        if self._held is None or self._work is None:
            return True
        return self._work.done() or self._held.began.wait(_POSTED_PATIENCE)

    def ran_free(self) -> bool:
        """Whether it did not wait for its arrival."""
        return self._held is not None and self._held.is_free

    def why_free(self) -> str:
        return f"{self.name()} ran in a thread for longer than {_PATIENCE} s, or waited for the loop there"


def ahead_of(job: Job, handles: Mapping[asyncio.Handle, Job]) -> Iterator[asyncio.Handle]:
    """Those of the jobs that arrive before it, whatever the schedule says, for it waits for their thread."""
    older = [handle for handle, each in handles.items() if each.number < job.number and each.executor is not None]
    if job.executor is None or not older:
        return
    threads = getattr(job.executor, "_max_workers", None)
    if isinstance(threads, int):
        older = [handle for handle in older if handles[handle].executor is job.executor]
        yield from older[: max(0, len(older) + 1 - threads)]
        return
    # One of the program's making: nobody but itself knows whom it lets go first, and what it runs on.
    for handle in older:
        if job.has_a_thread():
            return
        yield handle


def joined(work: Future[Any], posted: Sized) -> bool:
    """Wait for it here; whether it has ended. `posted`: what has come from threads to the loop."""
    until = perf_counter() + _PATIENCE
    while (left := until - perf_counter()) > 0:
        try:
            work.exception(min(left, _POSTED_PATIENCE))
        except TimeoutError:
            if posted:
                return False
        except (asyncio.CancelledError, concurrent.futures.CancelledError):
            return True
        else:
            return True
    return work.done()
