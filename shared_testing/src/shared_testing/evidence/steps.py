"""Look at the steps of the loop that take long, while they take long.

A step is one callback of the event loop: what a task does between two awaits. Its thread only counts the steps. A
thread of ours looks at that counter fifty times a second, reads where the step is, and what it spends its time on;
more often as long as the counter does not move. The thread is invisible to ``threading`` and leaves before the process
forks.
"""

from __future__ import annotations

import _thread
import asyncio
import gc
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from shared_testing.evidence.call_sites import CallSite, call_site
from shared_testing.evidence.interrupts import Interrupts
from shared_testing.evidence.own_code import OwnCode
from shared_testing.evidence.thread_state import ThreadState, is_gone
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from shared_testing.evidence.thread_state import Clocks

_PERIOD = 0.02
_PERIOD_IN_LONG_STEP = 0.005
_KEPT_WAITING = 0.05
"""Seconds that a look does not take by itself, but only if it has to wait for Python's lock."""

# Importing is done once, and debuggers stop the loop because they are asked to.
_NOT_THE_STEPS_OWN = ("importlib", "pdb", "bdb", "pydevd", "_pytest", "traceback", "linecache")

_sleep = time.sleep


class Spent:
    """What a step has spent on one line, in seconds."""

    __slots__ = ("blocked", "cpu", "locked", "slept")

    def __init__(self) -> None:
        self.cpu = 0.0
        self.blocked = 0.0
        self.locked = 0.0
        """The part of `blocked` in which it waited for a lock."""
        self.slept = 0.0
        """The part of `blocked` in which it slept."""


Step = dict[CallSite, Spent]

_installed: list[StepMonitor] = []


class StepMonitor:
    """Samples the long steps of the thread in which it was started. Serves several detectors."""

    def __init__(self) -> None:
        self._test: object = None
        self._tests: OwnCode | None = None
        self.stuck: list[Callable[[float], object]] = []
        """Called, on our thread, while a step has done nothing but wait: for how many seconds."""
        self.lasting: list[Callable[[float], object]] = []
        """The same, while a step goes on, whatever it does."""
        self.interrupts = Interrupts()
        self.thread = 0
        """The thread that is looked at."""
        self.count = 0
        """How many steps that thread has begun."""
        self.began = 0.0
        """When the last one began, on the wall clock."""
        self.inside = False
        self.crash: Exception | None = None
        self._steps: list[Step] = []
        self._step: Step = {}
        self._seen = 0
        self._clocks: Clocks | None = None
        self._blocked_since: float | None = None
        self._collecting = 0.0
        self._collected = 0.0
        self._collected_before = 0.0
        self._state: ThreadState | None = None
        self._stop: _thread.LockType | None = None
        self.watchdog = 0
        """The native id of our thread."""
        self._patches = Patches()
        self._users = 0

    def install(self) -> None:
        self._users += 1
        if self._users > 1:
            return
        _installed.append(self)
        self._patches.set(asyncio.Handle, "_run", self._counted(asyncio.Handle._run))
        self.interrupts.install()
        gc.callbacks.append(self._collects)
        if hasattr(os, "register_at_fork"):
            # It cannot be taken back; without our thread it does nothing.
            os.register_at_fork(before=self._leave)
        self.look_at_this_thread()

    def uninstall(self) -> None:
        self._users -= 1
        if self._users:
            return
        _installed.remove(self)
        self._leave()
        self._patches.undo()
        self.interrupts.uninstall()
        gc.callbacks.remove(self._collects)
        if self._state is not None:
            self._state.close()
        self._state, self.thread = None, 0

    @property
    def tests(self) -> OwnCode:
        """What belongs to the running test."""
        if self._tests is None:
            self._tests = OwnCode(self._test)
        return self._tests

    def look_at_this_thread(self, test: object = None) -> None:
        """From now on, while pytest's test item runs."""
        self._test, self._tests, self._steps, self._step = test, None, [], {}
        if not hasattr(time, "pthread_getcpuclockid"):
            return
        ident = threading.get_ident()
        if ident != self.thread:
            if self._state is not None:
                self._state.close()
            self._state, self.thread = ThreadState(ident, threading.get_native_id()), ident
        if self._stop is None:
            self._stop = _thread.allocate_lock()
            self._stop.acquire()
            _thread.start_new_thread(self._watch, (self._stop,))

    def steps(self) -> list[Step]:
        """The long ones that were seen, the present one included."""
        return list(self._steps)

    def _counted(self, run: Any) -> Any:
        ident, clock = threading.get_ident, time.perf_counter

        def _run(handle: Any) -> None:
            if ident() != self.thread:
                run(handle)
                return
            self.count += 1
            self.began = clock()
            self.inside = True
            try:
                run(handle)
            finally:
                self.inside = False
                # As asyncio does: an exception's frames lead here, and must not keep the handle alive.
                del handle

        return _run

    def _collects(self, phase: str, info: dict[str, int]) -> None:
        """A full collection takes its time in whichever step it happens to fall."""
        if info["generation"] < 2 or threading.get_ident() != self.thread:
            return
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self._collected += time.thread_time() - self._collecting

    def _leave(self) -> None:
        """End our thread, and wait until it is gone: Python warns of a fork beside threads."""
        if self._stop is None:
            return
        stop, self._stop = self._stop, None
        stop.release()
        deadline = time.perf_counter() + 0.5
        while self.watchdog and not is_gone(self.watchdog) and time.perf_counter() < deadline:
            _sleep(0.0002)

    def _watch(self, stop: _thread.LockType) -> None:
        self.watchdog = threading.get_native_id()
        period: float = _PERIOD
        while not stop.acquire(timeout=period):
            try:
                began = time.perf_counter()
                period = _PERIOD_IN_LONG_STEP if self._look() else _PERIOD
                if time.perf_counter() - began > _KEPT_WAITING:
                    # One call in C began while we read the clocks, and has just ended: the step is still at that line.
                    period = 0
            except Exception as error:  # noqa: BLE001 - told at the end of the test, by whoever asks for the steps
                self.crash = error
                return

    def _look(self) -> bool:
        """Whether a step goes on that was under way at the look before.

        Only such a one is worth a closer look: each look makes a busy loop hand over Python's lock.
        """
        state, count, began, inside = self._state, self.count, self.began, self.inside
        if state is None:
            return False
        if _installed[-1:] != [self]:
            # A run of pytest inside this one, as those who test plugins have: its steps are its own affair.
            self._clocks = None
            return False
        # First of all, and without giving way: the step must not go on, or end, while its stack is read.
        spot = self._spot() if inside else None
        before, now = self._clocks, state.clocks()
        self._clocks = now
        collected, self._collected_before = self._collected - self._collected_before, self._collected
        if not inside or before is None:
            return False
        goes_on = count == self._seen
        if not goes_on:
            self._seen, self._step, self._blocked_since = count, {}, None
        self._charge(spot, before, now, max(0.0, began - before.wall) + collected)
        if self._seen == self.count and self.inside:
            for tell in self.lasting:
                tell(now.wall - began)
        return goes_on

    def can_interrupt(self) -> bool:
        return self.interrupts.reach(self.thread)

    def interrupt(self, tell: Callable[[FrameType | None], object]) -> None:
        """Let `tell` look at the present step from inside, unless that has ended by then. It may raise there."""
        count = self.count

        def look(frame: FrameType | None) -> None:
            __tracebackhide__ = True
            if self.count == count and self.inside:
                tell(frame)

        self.interrupts.ask(self.thread, look)

    def forget_step(self) -> None:
        """What the present step spends is told by somebody else."""
        if self._steps and self._steps[-1] is self._step:
            self._steps.pop()
        self._step = {}

    def _spot(self) -> CallSite | None:
        frame = sys._current_frames().get(self.thread)
        return None if frame is None or _is_foreign(frame) else call_site(frame, "", self.tests)

    def _charge(self, spot: CallSite | None, before: Clocks, now: Clocks, deducted: float) -> None:
        """`deducted`: seconds that may be no part of this step, before it began or in a collection."""
        wall, own = now.wall - before.wall, now.cpu - before.cpu - deducted
        blocked = deducted == 0.0 and self._is_blocked(before, now)
        if not blocked:
            self._blocked_since = None
        elif self._blocked_since is None:
            self._blocked_since = before.wall
        if spot is not None and (own > 0 or blocked):
            if not self._step:
                self._steps.append(self._step)
            spent = self._step.setdefault(spot, Spent())
            spent.cpu += max(0.0, own)
            if blocked and self._state is not None:
                doing = self._state.doing()
                spent.blocked += wall
                spent.locked += wall * doing.for_lock
                spent.slept += wall * doing.sleeps
        if self._blocked_since is not None and self._seen == self.count and self.inside:
            for tell in self.stuck:
                tell(now.wall - self._blocked_since)

    def _is_blocked(self, before: Clocks, now: Clocks) -> bool:
        """It has waited for most of the time: neither computed, nor been kept off the processor by others."""
        wall, cpu = now.wall - before.wall, now.cpu - before.cpu
        waited = wall - cpu - (now.queued - before.queued)
        # Another thread that computes keeps Python's lock to itself: that is no waiting of the user's.
        others = now.process - before.process - cpu
        return waited > wall / 2 > others and self._state is not None and self._state.doing().waits


def _is_foreign(frame: FrameType | None) -> bool:
    """Whether what runs is no part of the user's program: an import, a debugger, pytest itself."""
    while frame is not None and not _is_callback(frame):
        if (frame.f_globals.get("__name__") or "").partition(".")[0] in _NOT_THE_STEPS_OWN:
            return True
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


_CALLBACK = asyncio.Handle._run.__code__


def _is_callback(frame: FrameType) -> bool:
    return frame.f_code is _CALLBACK
