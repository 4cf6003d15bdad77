"""Remember each cancellation that was asked for, and see what the task made of it.

``task.cancel()`` only asks: the CancelledError is thrown at the line where the task waits, and any ``except`` on its
way out may keep it. Where the task waited is known when it is asked, whether it went on when it has been told.
"""

from __future__ import annotations

import sys
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any

from shared_testing.findings.catching import catching_site, in_one_body, is_last_step
from shared_testing.findings.site import is_users, site_of_frame
from shared_testing.loop.ending import has_been_ended
from shared_testing.loop.waits import frame_of, frames_of, future_of, suspended_coroutines

if TYPE_CHECKING:
    import asyncio
    from types import CodeType

    from shared_testing.findings import Site

# A cancellation that is asked for again and again is remembered only so often.
_MOST_REQUESTS = 1000


class Request:
    """One cancellation of one task."""

    __slots__ = ("at", "before", "by_wait_for", "delivered", "kept", "places", "task", "within")

    def __init__(
        self,
        task: asyncio.Task[Any],
        places: tuple[tuple[CodeType, int], ...],
        by_wait_for: bool,
        within: weakref.ref[Any] | None,
    ) -> None:
        self.task = task
        self.places = places
        """Where the task's own functions waited, outermost first."""
        self.before = task.cancelling()
        """How many requests were open by then."""
        self.by_wait_for = by_wait_for
        """``asyncio.wait_for()`` asked, because its time was over."""
        self.within = within
        """The library's coroutine in which the innermost of the task's own functions waited."""
        self.at = monotonic()
        self.delivered = False
        self.kept: Site | None = None
        """The line that kept the cancellation, once the task is seen to go on."""

    @property
    def is_open(self) -> bool:
        """Nobody has taken it back, as a timeout does when it turns it into a TimeoutError."""
        return self.task.cancelling() > self.before

    @property
    def is_on_its_way(self) -> bool:
        """The library's call that it was thrown into cleans up, and has not let it out yet: ``wait_for()`` does so."""
        inner = self.within() if self.within is not None else None
        return inner is not None and any(each is inner for each in suspended_coroutines(self.task))

    def catcher(self) -> Site | None:
        """The first line on the way out that may keep the cancellation."""
        return next((site for code, line in reversed(self.places) if (site := catching_site(code, line))), None)


class Cancellations:
    """The requests of the present scope."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def asked(self, task: asyncio.Task[Any]) -> None:
        """Called before ``task.cancel()``."""
        # What this toolkit ends itself is no request of the program's.
        if task.done() or has_been_ended(task) or len(self.requests) >= _MOST_REQUESTS:
            return
        places, within = _places(task)
        # A task that has not begun, or runs just now, has no place to catch it.
        if not places:
            return
        request = Request(task, tuple(places), _asked_by_wait_for(), within)
        self.requests.append(request)
        self._see_it_delivered(request)

    def _see_it_delivered(self, request: Request) -> None:
        waited = future_of(request.task)
        if waited is not None and not waited.done():
            # Called after the task's own step, which was registered first.
            waited.add_done_callback(lambda _: self._delivered(request))
        else:
            request.task.get_loop().call_soon(self._delivered, request)

    def _delivered(self, request: Request) -> None:
        try:
            # Most are those of a timeout, which has made a TimeoutError of it by now.
            if not request.is_open:
                self._forget(request)
                return
            if not request.task.done() and request.is_on_its_way:
                self._see_it_delivered(request)
                return
            request.delivered, request.kept = True, _kept(request)
            if request.task.done() and request.kept is None:
                self._forget(request)
        except Exception:  # noqa: BLE001 - called by the loop, whose handler would take it for the user's error
            request.kept = None

    def _forget(self, request: Request) -> None:
        """It did what it was to do. Most do so, before anybody has read their source."""
        if request in self.requests:
            self.requests.remove(request)

    def forget_the_good(self) -> None:
        """All but those that were kept for good, so that no task lives on by what is known of it."""
        self.requests[:] = [
            each for each in self.requests if each.kept is not None and each.is_open and not _failed(each.task)
        ]

    def kept_by(self, task: asyncio.Task[Any]) -> Request | None:
        """The request that the task has kept from going on, and works on as if nothing had been."""
        for request in self.requests:
            if request.task is task and request.delivered and request.is_open:
                # When it was told it may have been in its handler still.
                request.kept = request.kept or (None if task.done() else _kept(request))
                if request.kept is not None:
                    return request
        return None


def _places(task: asyncio.Task[Any]) -> tuple[list[tuple[CodeType, int]], weakref.ref[Any] | None]:
    """Where the task's own functions wait, and the library's coroutine in which the innermost of them does.

    For each cancellation: to read a coroutine's frame, and a frame's code, is an audit event each.
    """
    places: list[tuple[CodeType, int]] = []
    inner = None
    for each in suspended_coroutines(task):
        frame = frame_of(each)
        if frame is not None and is_users((code := frame.f_code).co_filename):
            places.append((code, site_of_frame(frame, code).line))
            inner = None
        elif inner is None:
            inner = each
    try:
        return places, weakref.ref(inner) if inner is not None else None
    except TypeError:
        return places, None


def _asked_by_wait_for() -> bool:
    """Python 3.11 runs what it waits for in a task of its own, and cancels that."""
    frame = sys._getframe(1)
    for _ in range(6):
        if frame is None:
            return False
        if frame.f_code.co_name == "_cancel_and_wait":
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _failed(task: asyncio.Task[Any]) -> bool:
    # Not exception(): that would count as having looked at it.
    return task.done() and (task.cancelled() or getattr(task, "_exception", None) is not None)


def _kept(request: Request) -> Site | None:
    """The line that swallowed the cancellation, if the task went on with its work."""
    task = request.task
    if task.done():
        return None if _failed(task) else _returned(request)
    now = [frame for frame in frames_of(task) if is_users(frame.f_code.co_filename)]
    for depth in reversed(range(len(request.places))):
        code, line = request.places[depth]
        site = catching_site(code, line)
        if site is None:
            continue
        if depth >= len(now) or now[depth].f_code is not code:
            # It has returned, and its caller went on.
            return site if depth else None
        return site if in_one_body(code, line, now[depth].f_lineno) else None
    return None


def _returned(request: Request) -> Site | None:
    """The task ended at once, with a result. For its own function that is a way to stop; for one below it is not."""
    if request.by_wait_for:
        return request.catcher()
    for depth in reversed(range(len(request.places))):
        if (site := catching_site(*request.places[depth])) is not None:
            callers = request.places[:depth]
            return site if any(not is_last_step(*caller) for caller in callers) else None
    return None
