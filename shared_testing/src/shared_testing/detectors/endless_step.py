"""AT402: a step of the loop goes round for ever, and waits for what only another step could do."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from shared_testing.detectors.deadlock import RULE
from shared_testing.detectors.stuck import ProvesStuck
from shared_testing.evidence.interrupts import EndedByToolkit, hears_signals
from shared_testing.evidence.looking import may_spin
from shared_testing.findings import Finding
from shared_testing.loop import ending
from shared_testing.loop.standstill import main_future, threads_run

if TYPE_CHECKING:
    from types import FrameType

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.spinning import Spin
    from shared_testing.evidence.steps import StepMonitor
    from shared_testing.findings import Rule
    from shared_testing.loop.observer import LoopObserver

# Seconds until the first look, and from one to the next. It is proved by one; the others are for what is not known.
_FIRST = 0.3
_BETWEEN = 0.1
_LOOKS = 4


class EndlessStep(ProvesStuck):
    """Looks at a step that lasts, and ends it once it is proved that it would last for ever."""

    rules: tuple[Rule, ...] = (RULE,)
    why = "AT402: a step of the loop went round, and nothing could ever change what it looked at"

    def __init__(self, monitor: StepMonitor) -> None:
        super().__init__()
        self._monitor = monitor
        self._next = _FIRST
        self._step = 0
        self._spin: Spin | None = None
        self._again = 0

    def install(self, observer: LoopObserver) -> None:
        super().install(observer)
        self._monitor.install()
        self._monitor.lasting.append(self._lasts)

    def uninstall(self) -> None:
        self._monitor.lasting.remove(self._lasts)
        self._monitor.uninstall()
        super().uninstall()

    def start(self, scope: Scope) -> None:
        super().start(scope)
        self._monitor.look_at_this_thread(scope.test)

    def _lasts(self, seconds: float) -> None:
        """On the watchdog's thread."""
        monitor = self._monitor
        if monitor.count != self._step:
            self._step, self._next, self._spin = monitor.count, _FIRST, None
        if seconds < self._next or self._scope is None or not monitor.can_interrupt():
            return
        self._next = seconds + _BETWEEN
        if may_spin(sys._current_frames().get(monitor.thread)):
            monitor.interrupt(self._look)

    def _look(self, frame: FrameType | None) -> None:
        """In the middle of the step."""
        __tracebackhide__ = True
        # It reads source, which only those pay for whose steps look round and round.
        from shared_testing.evidence.spinning import spin_at

        spin = spin_at(frame)
        self._again = self._again + 1 if spin is not None and spin == self._spin else 0
        self._spin = spin
        if spin is None or self._again + 1 < _LOOKS or threads_run() or hears_signals():
            return
        self._found.append(_endless(spin))
        self._monitor.forget_step()
        loop = asyncio.get_running_loop()
        main = main_future(loop)
        if main is not None and main is not asyncio.current_task():
            # What it waits for will not come any more.
            ending.end(main, self.why)
        raise EndedByToolkit(f"{spin.site.function}() at {spin.site} would have gone round for ever")


def _endless(spin: Spin) -> Finding:
    name = spin.site.function.rpartition("<locals>.")[2]
    return Finding(
        RULE,
        f"livelock: {name}() looks again and again without giving way, and nothing can change what it looks at",
        spin.site,
        cause="it never awaits, so that no other task or callback of this loop runs, and no other thread could change "
        "it; the loop was ended",
        fix="await what it waits for: the task itself, an asyncio.Event's wait(), a queue's get()",
        instead=True,
    )
