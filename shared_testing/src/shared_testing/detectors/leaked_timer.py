"""AT301: a timer of the loop is still set when the test has ended."""

from __future__ import annotations

import sys
import weakref
from asyncio import base_events
from collections import deque
from types import BuiltinMethodType
from typing import TYPE_CHECKING

from shared_testing.detectors.detector import Detector
from shared_testing.detectors.leaked_task import RULE
from shared_testing.evidence.births import direct_maker
from shared_testing.findings import Finding

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Rule, Site
    from shared_testing.loop.observer import LoopObserver

# call_later() asks call_at(). Sleeps and timeouts, which have their timers too, lie elsewhere.
_THROUGH = frozenset({base_events.__file__})
_CONTAINERS = (dict, list, set, deque)


class LeakedTimer(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._scope: Scope | None = None
        self._set: list[tuple[weakref.ref[asyncio.TimerHandle], Site]] = []
        self._kept: list[asyncio.TimerHandle] = []
        """Past the end of their loop, which forgets them: a task that ends with it may still cancel its timer."""

    def install(self, observer: LoopObserver) -> None:
        observer.on_timer.append(self._timer_set)

    def uninstall(self) -> None:
        self._set.clear()

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._set.clear()

    def _timer_set(self, handle: asyncio.TimerHandle) -> None:
        if self._scope is None or self._scope.wider:
            return
        if (site := direct_maker(sys._getframe(2), _THROUGH)) is not None:
            self._set.append((weakref.ref(handle), site))

    def closing(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> Iterable[Finding]:
        self._kept += [handle for weak, _ in self._set if (handle := weak()) is not None]
        return ()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        alive = [(handle, site) for weak, site in self._set if (handle := weak()) is not None]
        self._set.clear()
        self._kept.clear()
        return [_finding(handle, site) for handle, site in alive if _is_set(handle) and not _forgets_entry(handle)]


def _is_set(handle: asyncio.TimerHandle) -> bool:
    # uvloop's does not tell whether it was due.
    return getattr(handle, "_scheduled", False) and not handle.cancelled()


def _forgets_entry(handle: asyncio.TimerHandle) -> bool:
    """``call_later(ttl, cache.pop, key, None)``: it runs no code of the program's, and touches nothing but data."""
    callback = getattr(handle, "_callback", None)
    return isinstance(callback, BuiltinMethodType) and isinstance(callback.__self__, _CONTAINERS)


def _finding(handle: asyncio.TimerHandle, site: Site) -> Finding:
    callback = handle._callback  # type: ignore[attr-defined]
    name = getattr(callback, "__qualname__", type(callback).__name__)
    return Finding(
        RULE,
        f"timer for {name}() is still set",
        site,
        cause="loop.call_later() or call_at() set it, and it was neither due nor cancelled",
        fix="keep the handle that it returns, and cancel() it on close",
    )
