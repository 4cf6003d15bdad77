"""The timers of an exploring loop: each is an arrival, and so is the turn after ``sleep(0)``, where that may last."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.arrivals import source_of_timer
from shared_testing.exploration.tasks import has_begun

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from shared_testing.exploration.arrivals import Arrival, Arrivals
    from shared_testing.loop.virtual_clock import VirtualClock


class Timers(asyncio.SelectorEventLoop):
    """What asyncio keeps in its heap is handed to ``arrive``."""

    clock: VirtualClock
    arrivals: Arrivals
    arrive: Callable[..., Arrival]
    _debug: bool

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._check_closed()  # type: ignore[attr-defined]
        if self._debug:
            self._check_thread()  # type: ignore[attr-defined]
            self._check_callback(callback, "call_at")  # type: ignore[attr-defined]
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        if timer._source_traceback:  # type: ignore[attr-defined]
            del timer._source_traceback[-1]  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        self.arrive(timer, when=when, source=source_of_timer(callback))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        if delay is None:
            raise TypeError("delay must not be None")
        timer = self.call_at(self.clock._time + delay, callback, *args, context=context)
        if timer._source_traceback:  # type: ignore[attr-defined]
            del timer._source_traceback[-1]  # type: ignore[attr-defined]
        return timer

    def _timer_handle_cancelled(self, timer: asyncio.TimerHandle) -> None:
        # asyncio.sleep() cancels its timer after it has fired, too.
        if timer._scheduled:  # type: ignore[attr-defined]
            self.arrivals.some_cancelled = True

    @property
    def _scheduled(self) -> list[asyncio.TimerHandle]:
        """As others see asyncio's own: the timers that are set."""
        return [each.handle for each in self.arrivals if isinstance(each.handle, asyncio.TimerHandle)]

    @_scheduled.setter
    def _scheduled(self, _: list[asyncio.TimerHandle]) -> None:
        pass

    def call_soon_lasting(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """For the model in which ``sleep(0)`` may last as long as an answer from outside."""
        task: Any = getattr(callback, "__self__", None)
        if type(callback).__name__ != "TaskStepMethWrapper" or not has_begun(task):
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self.arrive(handle)
        return handle
