"""What time it is for code whose event loop lives in virtual time.

A token expires by ``time.monotonic()``, a timeout by the loop's clock: while the one stands still and the other jumps,
a test sees what never happens. The calendar (``time.time``, ``datetime.now``) goes along only where a test asks for it,
by time-machine, which reaches what has been imported by name.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from shared_testing.loop.virtual_clock import EPOCH, VirtualClock
from shared_testing.patches import Patches

# Code that does not wait but looks at the clock again and again would do so for ever. After so many looks at the same
# moment, and a fifth of a second, time goes on for it.
_LOOKS = 100
_PATIENCE = 0.2

_monotonic = time.monotonic

# Where asyncio asks for the time of a loop that is not virtual.
_OTHER_LOOPS = vars(asyncio.base_events)


class NoCalendar(Exception):
    """The calendar cannot be virtual here; the text says why."""


class SeenTime:
    """While it is entered, ``time.monotonic()`` on this thread is that of the loop that was handed to `follow`.

    Another loop keeps its own time, and other threads the real one. `calendar`: let ``time.time()`` and
    ``datetime.now()`` go along, from that moment on; None leaves them alone. Raises NoCalendar.
    """

    def __init__(self, calendar: datetime | None = None) -> None:
        self._calendar = calendar
        self._travel: Any = _travel(calendar) if calendar is not None else None
        self._thread = threading.get_ident()
        self._patches = Patches()
        self._clock: VirtualClock | None = None
        self._traveller: Any = None
        self._seen = (0.0, 0, 0.0)

    def __enter__(self) -> Self:
        if self._travel is not None:
            self._traveller = self._travel.start()
        self._patches.set(time, "monotonic", self._now)
        self._patches.set(time, "monotonic_ns", self._now_ns)
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.undo()
        if self._travel is not None:
            self._travel.stop()

    def follow(self, loop: Any) -> None:
        """A loop with a virtual clock was made: its time is what is seen from now on."""
        if self._calendar is not None:
            loop.clock = _CalendarClock(self._traveller, self._calendar)
        self._clock = loop.clock

    def forget(self) -> None:
        """It is closed, and the next one not made yet."""
        self._clock = None

    def _now(self) -> float:
        loop = asyncio._get_running_loop()
        if loop is not None:
            clock = getattr(loop, "clock", None)
            return self._at(clock._time) if isinstance(clock, VirtualClock) else _monotonic()
        if threading.get_ident() != self._thread or sys._getframe(1).f_globals is _OTHER_LOOPS:
            return _monotonic()
        return self._at(self._clock._time if self._clock is not None else EPOCH)

    def _now_ns(self) -> int:
        return round(self._now() * 1e9)

    def _at(self, moment: float) -> float:
        last, looks, since = self._seen
        if moment != last:
            self._seen = moment, 0, 0.0
            return moment
        self._seen = moment, looks + 1, since
        if looks < _LOOKS:
            return moment
        if looks == _LOOKS:
            self._seen = moment, looks + 1, _monotonic()
            return moment
        return moment + max(0.0, _monotonic() - since - _PATIENCE)


class _CalendarClock(VirtualClock):
    """Takes the calendar along when it moves."""

    def __init__(self, traveller: Any, begins: datetime) -> None:
        self._traveller = traveller
        self._begins = begins
        super().__init__()

    @property
    def _time(self) -> float:
        return self._moment

    @_time.setter
    def _time(self, moment: float) -> None:
        self._moment = moment
        self._traveller.move_to(self._begins + timedelta(seconds=moment - self._epoch))


def read_calendar(value: object) -> datetime | None:
    """``True`` for now, a moment, or one as text in the ISO format; without a time zone it is UTC."""
    if value is None or value is False:
        return None
    if value is True:
        return datetime.now(UTC).replace(microsecond=0)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _travel(begins: datetime) -> Any:
    try:
        import time_machine
    except ImportError:
        raise NoCalendar(
            "virtual_time(calendar=...) needs time-machine: pip install 'asyncworks-shared-testing[calendar]'"
        ) from None
    return time_machine.travel(begins, tick=False)
