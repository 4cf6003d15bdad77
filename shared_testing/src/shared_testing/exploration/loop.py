"""An event loop that follows a schedule.

Tasks, futures, transports, sockets and TLS are asyncio's own, and ``call_soon`` stays first in, first out, as it is
documented. Replaced are the clock, which is virtual, and the doors through which the outside world comes in: what
enters there becomes an :class:`Arrival`, and the schedule says which one comes next.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.arrivals import DEADLINES, LAST, Arrival, Arrivals
from shared_testing.exploration.joins import noticing_joins
from shared_testing.exploration.outside import Outside
from shared_testing.exploration.tasks import NumberedTask, number_of
from shared_testing.exploration.timers import Timers
from shared_testing.exploration.verdicts import deadlock, livelock, state_of_pollers
from shared_testing.findings.site import user_site
from shared_testing.loop.standstill import only_tasks_run
from shared_testing.loop.virtual_clock import RESOLUTION, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from shared_testing.exploration.schedule import Schedule

_current_task = asyncio.current_task

# At the start, what is due within a millisecond may come while the first callbacks still run.
_FIRST_WINDOW = 1e-3

_MOST_TURNS = 200_000
"""A run that has made so many is going round in a circle."""

_BUSY_TURNS = 20_000
"""The same, while nothing arrives and nothing will."""

_MOST_TURNS_WITH_RESTS = 10 * _MOST_TURNS
_LOOK_EVERY = 5_000
"""Turns from one look at those who poll and sleep in between to the next."""
_SEEN_AGAIN = 3

_TIMELESS_TURNS = 100
"""So many turns take no time. A task that goes on and on, as a poller does, takes some for each, on every machine."""
_TURN = 1e-5
_LATER_TURN = 1e-3


class ExploringLoop(Timers, Outside, asyncio.SelectorEventLoop):
    """Runs its callbacks as asyncio does; what arrives from outside comes in the order of one schedule."""

    _ready: Any
    _stopping: bool

    def __init__(self, schedule: Schedule) -> None:
        self.clock = VirtualClock()
        self.schedule = schedule
        self.turns = 0
        self.arrivals = Arrivals()
        self._tasks_made = 0
        self._turns_at_this_time = 0
        self._held: set[int] = set()
        self._open_until = self.clock._time + _FIRST_WINDOW
        """Until when the callbacks that run now may take: then the last thing that arrived was latest to arrive."""
        self._states: Counter[object] = Counter()
        """How often those who poll were seen in the same state."""
        self.mains: list[asyncio.Future[Any]] = []
        """What run_until_complete() waits for, the innermost last."""
        super().__init__()
        self._clock_resolution = RESOLUTION
        if schedule.lasting_yields:
            self.call_soon = self.call_soon_lasting  # type: ignore[method-assign,assignment]

    def follow(self, schedule: Schedule) -> None:
        """Go on with another schedule from here."""
        self.schedule = schedule
        self.turns = self._turns_at_this_time = 0

    def time(self) -> float:
        return self.clock._time

    # ------------------------------------------------------------ what becomes an arrival

    def arrive(
        self,
        handle: asyncio.Handle,
        *,
        when: float | None = None,
        source: object = None,
        owner: int | None = None,
    ) -> Arrival:
        """Let a callback come from outside: at `when` or some time later, in the order of its source."""
        now = self.clock._time
        if when is None or when < now:
            when = now
        if owner is None:
            # Called once for each timer: no function of ours stands between.
            task = _current_task(self)
            owner = 0 if task is None else number_of(task, self)
        schedule = self.schedule
        arrival = Arrival(handle, when, when + schedule.lateness, owner, source, schedule.born(when - now, owner))
        self.arrivals.add(arrival)
        return arrival

    def arrives_soon(
        self, callback: Callable[..., object], *args: Any, source: object = None, context: Context | None = None
    ) -> asyncio.Handle:
        """For what stands in for the outside world: call it as late as that might, in the order of its `source`."""
        handle = asyncio.Handle(callback, args, self, context)
        self.arrive(handle, source=source)
        return handle

    def after_all_until(self, when: float) -> asyncio.Future[None]:
        """Done at that moment, when everything that is due by then has arrived, however late."""
        passed: asyncio.Future[None] = self.create_future()
        handle = asyncio.Handle(_pass, (passed,), self)
        self.arrive(handle, when=when + RESOLUTION / 10, source=LAST)
        return passed

    def create_task(self, coro: Coroutine[Any, Any, Any], **kwargs: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        if self._task_factory is not None:  # type: ignore[attr-defined]
            task: asyncio.Task[Any] = super().create_task(coro, **kwargs)
            number_of(task, self)
        else:
            self._check_closed()  # type: ignore[attr-defined]
            task = NumberedTask(coro, loop=self, number=self.next_number(), **kwargs)
            if task._source_traceback:  # type: ignore[attr-defined]
                del task._source_traceback[-1]  # type: ignore[attr-defined]
        if self.schedule.cancelling is not None:
            self.schedule.cancelling.created(task)
        if self.schedule.recorder is not None:
            self.schedule.recorder.started(task, self, user_site(sys._getframe(1)))
        return task

    def next_number(self) -> int:
        self._tasks_made += 1
        return self._tasks_made

    # ------------------------------------------------------------ running

    @noticing_joins
    def run_until_complete(self, future: Any) -> Any:
        __tracebackhide__ = True
        self._check_closed()  # type: ignore[attr-defined]
        self._check_running()  # type: ignore[attr-defined]
        main = asyncio.ensure_future(future, loop=self)
        if main is not future:
            # As asyncio does for a task that it makes here: nobody else knows of it.
            main._log_destroy_pending = False
        self.mains.append(main)
        try:
            return super().run_until_complete(main)
        except BaseException:
            if main is not future and main.done() and not main.cancelled():
                main.exception()
            raise
        finally:
            self.mains.remove(main)

    def _run_once(self) -> None:
        __tracebackhide__ = True
        ready = self._ready
        self.turns += 1
        self._turns_at_this_time += 1
        if self._turns_at_this_time > _TIMELESS_TURNS:
            self._spend_time()
        elif not self.turns % _LOOK_EVERY:
            self._look_round()
        if self._selector.kernels is not None or self._inbox:
            self.look_outside()
        if not ready:
            if not self._stopping:
                self._wait()
        elif (pending := self.arrivals.pending) and pending[0][0] <= self._open_until:
            # The world does not wait for the loop to be idle.
            self._more_arrivals()
        schedule = self.schedule
        recorder = schedule.recorder
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if recorder is None:
                handle._run()
            else:
                recorder.run(self, handle)
        if schedule.cancelling is not None:
            schedule.cancelling.after_batch(self)
        handle = None  # As asyncio does: an exception's frames lead here.

    def _spend_time(self) -> None:
        """The loop has been busy for many turns."""
        __tracebackhide__ = True
        busy = self._turns_at_this_time > _BUSY_TURNS
        if self.turns > _MOST_TURNS or (busy and not self.arrivals and only_tasks_run(self)):
            turns, self.turns, self._turns_at_this_time = self.turns, 0, 0
            raise livelock(self, turns)
        self.clock._time += _LATER_TURN if busy else _TURN
        self._open_until = max(self._open_until, self.clock._time)

    def _look_round(self) -> None:
        """The run is long: does it go round in a circle, with rests?"""
        __tracebackhide__ = True
        if self.turns > _MOST_TURNS_WITH_RESTS:
            raise livelock(self, self.turns)
        state = state_of_pollers(self)
        if state is not None:
            self._states[state] += 1
            if self._states[state] > _SEEN_AGAIN:
                self._states.clear()
                raise livelock(self, self.turns)

    def _wait(self) -> None:
        """Nothing is ready: let time pass until something arrives."""
        __tracebackhide__ = True
        while True:
            candidates = self.arrivals.candidates()
            if (not candidates or candidates[0].when > self.clock._time) and self.may_hear_from_outside():
                self.wait_outside(candidates[0].when if candidates else None)
                if self._ready or self._stopping:
                    return
                candidates = self.arrivals.candidates()
            if candidates:
                break
            if self.stands_still():
                raise deadlock(self)
        self._open_until = math.inf
        self._next(candidates)
        self._more_arrivals()

    def _next(self, candidates: list[Arrival]) -> None:
        """Choose who arrives next.

        To choose a later one puts the owners of all before it on hold: they stay late until they are chosen, or until
        their window closes. So one deviation is one context switch, however long it lasts.
        """
        if len(candidates) == 1:
            self._deliver(candidates[0])
            return
        held = self._held
        if self.arrivals.some_starved:
            candidates = self.arrivals.starved(candidates) or candidates
        if held:
            free = [each for each in candidates if each.owner not in held]
            candidates = free + [each for each in candidates if each.owner in held]
        chosen = self.schedule.choose("next", candidates) if len(candidates) > 1 else 0
        arrival = candidates[chosen]
        if chosen:
            held.update(each.owner for each in candidates[:chosen])
            held.discard(arrival.owner)
        self._deliver(arrival)

    def _more_arrivals(self) -> None:
        """Others may come in the same turn: who is late lets the later ones catch up."""
        choose = self.schedule.choose
        while options := self.arrivals.options(self._open_until, self.clock._time + RESOLUTION, self._held):
            # asyncio takes all that is due in one go.
            arrival = options[choose("early" if options[0] is None else "tie", options)]
            if arrival is None:
                return
            self._deliver(arrival)

    def _deliver(self, arrival: Arrival) -> None:
        self.arrivals.take(arrival)
        when, source, handle = arrival.when, arrival.source, arrival.handle
        if when > self.clock._time:
            self.clock._time = when
        self._turns_at_this_time = 0
        closes = when if source is LAST else arrival.latest
        if closes < self._open_until:
            self._open_until = closes
        self.schedule.delivered(arrival)
        if handle.__class__ is asyncio.TimerHandle:
            handle._scheduled = False  # type: ignore[attr-defined]
        else:
            handle = self.unpacked(handle)
        self._ready.append(handle)
        if source is DEADLINES:
            following = self.arrivals.due_deadline(self.clock._time)
            if following is not None:
                self._deliver(following)


def _pass(passed: asyncio.Future[None]) -> None:
    if not passed.done():
        passed.set_result(None)


def exploring() -> ExploringLoop | None:
    """The loop that runs here, if it follows a schedule."""
    loop = asyncio._get_running_loop()
    return loop if isinstance(loop, ExploringLoop) else None
