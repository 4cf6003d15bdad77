"""What the outside world sends to a program, and in which order it may arrive.

Nothing else is ever reordered. An arrival may be delivered at any moment of its window, ``when`` to ``latest``; so two
arrivals whose windows overlap may come in either order, together, or while callbacks still run.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Container, Iterator

DEADLINES = "deadlines"
"""The source of timers that stand for no I/O: they keep their order, and all that are due come together."""

LAST = "last"
"""The source of an arrival that comes after all that are due by then, and before all others."""

# asyncio's loop runs its timers from a heap, by their moment, in one go; CPython's own test_nested_timeouts needs it.
_DEADLINES = {"Timeout._on_timeout", "_release_waiter", "TimerContext.timeout", "TimeoutHandle.__call__"}

_MOST_OVERTAKEN = 100
"""So often may one arrival be overtaken: a schedule that starves somebody for ever is one that no machine has."""


class Arrival:
    """A timer that is due, a socket that is ready, the result of a thread."""

    __slots__ = ("handle", "latest", "number", "overtaken", "owner", "priority", "source", "when")

    def __init__(
        self, handle: asyncio.Handle, when: float, latest: float, owner: int, source: object, priority: float
    ) -> None:
        self.handle = handle
        self.when = when
        self.latest = latest
        self.owner = owner
        """The number of the task that asked for it; of the socket or thread if no task did."""
        self.source = source
        """What comes from one source keeps its order; None if it comes alone."""
        self.number = 0
        self.overtaken = 0
        self.priority = priority
        """What a strategy gave it at its birth."""


def source_of_timer(callback: object) -> str | None:
    return DEADLINES if getattr(callback, "__qualname__", "") in _DEADLINES else None


class Arrivals:
    """Those that are still to come, the earliest first."""

    def __init__(self) -> None:
        # As tuples, which compare without a call of Python's; in the open, for the loop looks in each turn.
        self.pending: list[tuple[float, int, Arrival]] = []
        self._numbers = 0
        self.least_apart = math.inf
        """By how much the nearest two were too far apart to come in the other order."""
        self.some_starved = False
        """Set when one of them may not be overtaken once more."""
        self.some_cancelled = False
        """Set when the handle of one of them was cancelled."""

    def __bool__(self) -> bool:
        return bool(self.pending)

    def __iter__(self) -> Iterator[Arrival]:
        return (arrival for _, _, arrival in self.pending)

    def add(self, arrival: Arrival) -> None:
        self._numbers = arrival.number = self._numbers + 1
        insort(self.pending, (arrival.when, arrival.number, arrival))

    def candidates(self) -> list[Arrival]:
        """Those that may arrive next: none may push another one out of its window."""
        if self.some_cancelled:
            self._forget_cancelled()
        pending = self.pending
        if not pending:
            return []
        # All windows are equally wide, so the first to open is the first to close.
        first = pending[0][2]
        until = first.latest
        found: list[Arrival] = []
        sources: list[object] = []
        for when, _, arrival in pending:
            if when > until:
                if arrival.source is None is first.source and when - first.when < self.least_apart:
                    self.least_apart = when - first.when
                break
            source = arrival.source
            if source is not None:
                if source is LAST:
                    return found or [arrival]
                if source in sources:
                    continue
                sources.append(source)
            found.append(arrival)
        return found

    def options(self, until: float, now: float, held: Container[int]) -> list[Arrival | None]:
        """What may come by `until`, along with what arrived: the first that is due, if one is; nobody; each other one.

        Empty if nobody may. Asked in nearly each turn, so that it does all in one go.
        """
        if self.some_cancelled:
            self._forget_cancelled()
        pending = self.pending
        if not pending or pending[0][0] > until:
            return []
        latest = pending[0][2].latest
        if latest < until:
            until = latest
        options: list[Arrival | None] = [None]
        due: Arrival | None = None
        sources: list[object] = []
        for when, _, arrival in pending:
            if when > until:
                break
            source = arrival.source
            if source is not None:
                if source is LAST:
                    break
                if source in sources:
                    continue
                sources.append(source)
            is_late = arrival.overtaken or arrival.owner in held
            # A loop that is never idle delivers here only: what is as late as it can be comes now.
            if due is None and (arrival.latest < now or (when <= now and not is_late)):
                due = arrival
            else:
                options.append(arrival)
        if due is not None:
            options.insert(0, due)
        return options if len(options) > 1 else []

    def _forget_cancelled(self) -> None:
        self.pending[:] = [each for each in self.pending if not each[2].handle._cancelled]
        self.some_cancelled = False

    def starved(self, candidates: list[Arrival]) -> list[Arrival]:
        """Those of them that may not be overtaken once more."""
        return [each for each in candidates if each.overtaken > _MOST_OVERTAKEN]

    def take(self, arrival: Arrival) -> None:
        """It arrives now."""
        pending = self.pending
        if pending[0][2] is arrival:
            del pending[0]
            return
        at = bisect_left(pending, (arrival.when, arrival.number))
        del pending[at]
        for _, _, each in pending[:at]:
            each.overtaken += 1
            if each.overtaken > _MOST_OVERTAKEN:
                self.some_starved = True

    def is_any_due(self, now: float) -> bool:
        return bool(self.pending) and self.pending[0][0] <= now

    def due_deadline(self, now: float) -> Arrival | None:
        """The next of them, if it is due."""
        for when, _, arrival in self.pending:
            if when > now:
                return None
            if arrival.source is DEADLINES and not arrival.handle._cancelled:
                return arrival
        return None
