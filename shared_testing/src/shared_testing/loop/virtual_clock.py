"""An event loop whose clock jumps to the next timer as soon as everything waits.

Sleeps and timeouts take no real time, in the order and at the (virtual) moments in which they would
have happened. Prior art: trio's ``MockClock(autojump_threshold=0)``, looptime, Go's ``testing/synctest``.
"""

from __future__ import annotations

import asyncio
import selectors
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from shared_testing.loop.idle import settle
from shared_testing.loop.other_ends import both_ends_are_in
from shared_testing.loop.outsiders import LONGEST_GRACE, KnowsChildren, grace
from shared_testing.loop.standstill import threads_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Not 0: code that tests `if self._started_at:` is right on every real machine.
EPOCH = 1000.0

# asyncio runs a timer that is due within the clock's resolution. The system's nanosecond would vanish in the
# rounding of a float after a few virtual weeks, and the loop would spin before a timer that never is due.
RESOLUTION = 1e-6

# Loopback data is there at once, a wake-up may be late on a busy machine: look once more before a jump.
_GRACE = 0.002


class VirtualClock:
    """The clock of one :class:`VirtualClockLoop`."""

    def __init__(self, epoch: float = EPOCH) -> None:
        self._epoch = epoch
        self._time = epoch

    def __repr__(self) -> str:
        return f"<VirtualClock now={self.now:g}>"

    @property
    def now(self) -> float:
        """Virtual seconds since the loop was made, 0.0 at first."""
        return self._time - self._epoch

    async def advance(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass: each timer due on the way fires at its moment.

        Returns when everything due by then has run as far as it can.
        """
        if seconds < 0:
            raise ValueError(f"advance({seconds}): time cannot go back; give 0 or more seconds")
        # An exploring loop has what is due arrive late; it shall have come all the same.
        after_all = getattr(asyncio.get_running_loop(), "after_all_until", None)
        await (asyncio.sleep(seconds) if after_all is None else after_all(self._time + seconds))
        await settle()


class VirtualClockLoop(KnowsChildren):
    """A real selector loop on a :class:`VirtualClock`.

    The clock stands still while callbacks run, and while a job runs in an executor or data is on its way through a
    socket of this loop, so that no timeout fires because real I/O took real time. While a child process runs, it goes
    as fast as the real one. Somebody else at the other end of a socket gets a hundredth of the jump in real time to
    answer, and a whole second if a thread of this process may do so.
    """

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self._executor_jobs = 0
        super().__init__(_JumpingSelector(self, selectors.DefaultSelector()))
        self._clock_resolution = RESOLUTION

    def time(self) -> float:
        return self.clock._time

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        self._executor_jobs += 1
        try:
            future = super().run_in_executor(executor, func, *args)
        except BaseException:
            self._executor_jobs -= 1
            raise
        future.add_done_callback(self._executor_job_done)
        return future

    def _executor_job_done(self, _: asyncio.Future[Any]) -> None:
        self._executor_jobs -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002 - see below
        # Python 3.12 and newer give the threads 300 seconds to end: real ones, so the clock must not jump over them.
        self._executor_jobs += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._executor_jobs -= 1

    def may_jump(self) -> bool:
        return self._executor_jobs == 0

    def grace(self, seconds: float) -> float:
        """Real seconds in which others may answer before a jump of so many."""
        if both_ends_are_in(self):
            return _GRACE
        return LONGEST_GRACE if threads_run() else grace(seconds, _GRACE)

    def jump(self, seconds: float) -> None:
        # Not now + seconds: the sum would land a rounding error before the timer, and the loop would spin.
        due = self._scheduled[0].when() if self._scheduled else 0.0  # type: ignore[attr-defined]
        self.clock._time = max(self.clock._time + seconds, due)


class _JumpingSelector(selectors.BaseSelector):
    """Asks the real selector; when that has nothing, moves the clock instead of waiting."""

    def __init__(self, loop: VirtualClockLoop, real: selectors.BaseSelector) -> None:
        self._loop = loop
        self._real = real

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self._real.select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        if timeout is None or not self._loop.may_jump():
            return self._real.select(None)
        if self._loop.has_children():
            return self._select_in_real_time(timeout)
        # The loop's own wake-up pipe is always registered.
        if len(self.get_map()) > 1:
            events = self._real.select(self._loop.grace(timeout))
        if not events:
            self._loop.jump(timeout)
        return events

    def _select_in_real_time(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Nobody knows what a child process waits for: let its seconds be ours."""
        began = perf_counter()
        events = self._real.select(timeout)
        passed = perf_counter() - began
        if passed >= timeout:
            self._loop.jump(timeout)
        else:
            self._loop.clock._time += passed
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()
