"""Jobs of an exploring loop in executors.

A job runs in a real thread, when its arrival is delivered, while the loop waits: its effect falls on one point of the
schedule. One that takes long, or waits for the loop, runs free instead, and the result says so.
"""

from __future__ import annotations

import asyncio
from asyncio import futures
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sized
    from concurrent.futures import Executor, Future

_PATIENCE = 0.25
"""Real seconds that a job may take before it runs free of the schedule."""
_POSTED_PATIENCE = 0.02
"""The same, once it has posted to the loop: it may wait for an answer."""


class Job:
    """A call in an executor."""

    __slots__ = ("args", "executor", "func", "future")

    def __init__(
        self, future: asyncio.Future[Any], executor: Executor | None, func: Callable[..., Any], args: tuple[Any, ...]
    ) -> None:
        self.future = future
        self.executor = executor
        self.func = func
        self.args = args

    def name(self) -> str:
        """As its user knows it: below what asyncio.to_thread() wraps around it."""
        func: Any = self.func
        inner = [*func.args, *self.args] if isinstance(func, partial) else [func]
        return str(next((each.__qualname__ for each in inner if hasattr(each, "__qualname__")), func))

    def start(self, executor: Executor) -> Future[Any]:
        return executor.submit(self.func, *self.args)

    def hand_over(self, work: Future[Any]) -> None:
        if not self.future.done():
            futures._copy_future_state(work, self.future)  # type: ignore[attr-defined]

    def why_free(self) -> str:
        return f"{self.name()} ran in a thread for longer than {_PATIENCE} s, or waited for the loop there"


def joined(work: Future[Any], posted: Sized) -> bool:
    """Wait for it here; whether it has ended. `posted`: what has come from threads to the loop."""
    until = perf_counter() + _PATIENCE
    while (left := until - perf_counter()) > 0:
        try:
            work.exception(min(left, _POSTED_PATIENCE))
        except TimeoutError:
            if posted:
                return False
        except asyncio.CancelledError:
            return True
        else:
            return True
    return work.done()
