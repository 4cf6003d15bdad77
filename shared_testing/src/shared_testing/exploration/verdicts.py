"""What ends a run that cannot go on: the verdicts of AT402, under one schedule."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared_testing.findings import Finding
from shared_testing.loop.ending import Stuck
from shared_testing.loop.standstill import only_tasks_run, plain_timers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared_testing.exploration.loop import ExploringLoop


class ProvedStuck(Stuck):
    """No run of this schedule can end."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class Deadlock(ProvedStuck):
    """Nothing can make progress under this schedule; the finding says who waits for whom."""


class Livelock(ProvedStuck):
    """Tasks run on and on, and nothing changes."""


def deadlock(loop: ExploringLoop) -> Deadlock:
    """To be raised out of the loop. The main task is cancelled: if the loop runs again, its cleanup frees its locks."""
    # Some milliseconds of import that only those pay who need the words.
    from shared_testing.detectors.deadlock import RULE
    from shared_testing.loop.waits import suspended_in
    from shared_testing.verdicts.standstill import verdict

    main = _main(loop)
    if main is None:
        return Deadlock(Finding(RULE, "nothing can wake the event loop", None))
    found = verdict(RULE, main, suspended_in(loop), [], None)
    main.cancel()
    return Deadlock(found)


def livelock(loop: ExploringLoop, turns: int) -> Livelock:
    """As :func:`deadlock`; if nobody polls that the test waits for, it is one."""
    from shared_testing.detectors.deadlock import RULE
    from shared_testing.evidence.polling import polls
    from shared_testing.loop.waits import suspended_in
    from shared_testing.verdicts.livelock import verdict

    main = _main(loop)
    note = f"the loop has made {turns:,} turns, and the test has not ended"
    waits = suspended_in(loop)
    pollers = [wait for wait in waits if polls(wait.task, plain_timers(loop) or {})]
    pollers = pollers or [wait for wait in waits if wait.site is not None and wait.on is None]
    if not isinstance(main, asyncio.Task) or not pollers:
        return Livelock(Finding(RULE, "livelock: callbacks run on and on, and nothing changes", None, details=(note,)))
    found = verdict(RULE, main, pollers, [], None, note)
    main.cancel()
    return Livelock(found)


@contextmanager
def holders_known() -> Iterator[None]:
    """For the run that is told: who holds which lock. The detectors know already, where they are at work."""
    from shared_testing.evidence import holders
    from shared_testing.patches import Patches

    patches = Patches()
    if not hasattr(asyncio.Lock.acquire, "__wrapped__"):
        holders.install(patches)
    try:
        yield
    finally:
        patches.undo()


def state_of_pollers(loop: ExploringLoop) -> object:
    """What decides how a loop goes on in which all poll or wait for a poller; None if that cannot be told."""
    from shared_testing.evidence.polling import pollers_and_state

    sleeps = plain_timers(loop)
    if sleeps is None or not only_tasks_run(loop):
        return None
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
    found = pollers_and_state(tasks, sleeps)
    return found[1] if found is not None else None


def _main(loop: ExploringLoop) -> asyncio.Future[Any] | None:
    return loop.mains[-1] if loop.mains else None
