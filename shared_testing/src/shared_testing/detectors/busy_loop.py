"""AT402: the loop is busy, and nothing ever changes."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.deadlock import RULE
from shared_testing.detectors.stuck import ProvesStuck
from shared_testing.loop.standstill import main_future, only_tasks_run, plain_timers
from shared_testing.loop.waits import Wait, wait_of
from shared_testing.loop.watched import open_loops

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Finding, Rule
    from shared_testing.loop.observer import LoopObserver

# Looks at a state that has been there before, a quarter of a second apart: one second, or two if the pollers sleep.
_LOOKS_AT_BUSY = 4
_LOOKS_AT_SLEEPERS = 8

# Turns without a rest in which a state must have come again.
_TURNS = 20_000

# The same, for one whose state is never the same twice because it counts: seconds of nothing but looking.
_ENDLESS_TURNS = 300_000

# More states than this are no circle.
_MOST_STATES = 100


class BusyLoop(ProvesStuck):
    """Sees tasks that poll for what nobody is left to change, and ends the test that waits for them."""

    rules: tuple[Rule, ...] = (RULE,)
    why = "AT402: the loop was busy, and nothing could ever change"

    def __init__(self) -> None:
        super().__init__()
        self._forget()

    def _forget(self) -> None:
        self._states: set[Any] = set()
        self._again = 0
        self._tasks: frozenset[asyncio.Task[Any]] = frozenset()
        self._sleeps: dict[int, float] = {}

    def install(self, observer: LoopObserver) -> None:
        observer.on_pulse.append(self._loop_runs)
        super().install(observer)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        self._forget()
        return super().finish(scope)

    def _loop_runs(self, loop: asyncio.AbstractEventLoop, busy: int) -> None:
        __tracebackhide__ = True
        main = main_future(loop)
        if self._scope is None or not isinstance(main, asyncio.Task):
            return
        pollers = self._same_again(loop, busy)
        if not pollers:
            return
        self._forget()
        self._end(main, partial(self._verdict, main, pollers, busy))

    def _verdict(self, main: asyncio.Task[Any], pollers: list[Wait], busy: int) -> Finding:
        # Some milliseconds of import that only those pay who need the words.
        from shared_testing.verdicts.livelock import verdict

        note = f"the loop has made {busy:,} turns without a rest" if busy > _TURNS else ""
        return verdict(RULE, main, pollers, open_loops(but=main.get_loop()), self._test, note)

    def _same_again(self, loop: asyncio.AbstractEventLoop, busy: int) -> list[Wait]:
        """The pollers, once they have been seen in the same states again and again."""
        tasks = frozenset(task for task in asyncio.all_tasks(loop) if not task.done())
        sleeps = plain_timers(loop)
        if sleeps is None or not only_tasks_run(loop):
            self._forget()
            return []
        if tasks != self._tasks or sleeps.items() & self._sleeps.items():
            self._start_anew(tasks, sleeps)
            return []
        # It reads source, which only those pay for whose tasks are at it for that long.
        from shared_testing.evidence.polling import pollers_and_state

        if (found := pollers_and_state(tasks, sleeps)) is None:
            self._start_anew(tasks, sleeps)
            return []
        self._sleeps = sleeps
        return self._count(*found, busy)

    def _start_anew(self, tasks: frozenset[asyncio.Task[Any]], sleeps: dict[int, float]) -> None:
        self._forget()
        self._tasks, self._sleeps = tasks, sleeps

    def _count(self, pollers: list[asyncio.Task[Any]], state: frozenset[Any], busy: int) -> list[Wait]:
        if state not in self._states:
            self._again = 0
            self._states = {state, *self._states} if len(self._states) < _MOST_STATES else {state}
        else:
            self._again += 1
        enough = self._again >= _LOOKS_AT_SLEEPERS if self._sleeps else self._again >= _LOOKS_AT_BUSY and busy > _TURNS
        return [wait_of(task) for task in pollers] if enough or busy > _ENDLESS_TURNS else []
