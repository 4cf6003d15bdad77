"""Whoever has joined a thread finds in the loop all that it has posted: none of that is late any more."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_testing.exploration.loop import ExploringLoop

P = ParamSpec("P")
R = TypeVar("R")


class _Noticed:
    """Thread.join(), as long as a loop runs that follows a schedule, in whatever thread.

    Whoever runs one after the other enters it for all of them: to patch it for each takes a tenth of a short run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patches = Patches()
        self._loops = 0

    def __enter__(self) -> None:
        with self._lock:
            self._loops += 1
            if self._loops == 1:
                self._patches.set(threading.Thread, "join", _noticed(threading.Thread.join))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._loops -= 1
            if not self._loops:
                self._patches.undo()


def _noticed(join: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(join)
    def noticed(self: threading.Thread, timeout: float | None = None) -> None:
        __tracebackhide__ = True
        join(self, timeout)
        loop: Any = asyncio._get_running_loop()
        # Not isinstance: the loop needs this module.
        if loop is not None and hasattr(loop, "arrivals") and not self.is_alive():
            _all_has_come(loop, self.ident)

    return noticed


def _all_has_come(loop: ExploringLoop, thread: int | None) -> None:
    loop.look_outside()
    for arrival in [each for each in loop.arrivals if each.source == thread]:
        loop._deliver(arrival)


JOINS_NOTICED = _Noticed()


def noticing_joins(run: Callable[P, R]) -> Callable[P, R]:
    """For the method that runs the loop."""

    @functools.wraps(run)
    def running(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        with JOINS_NOTICED:
            return run(*args, **kwargs)

    return running
