"""What ends a run that cannot go on: the verdicts of AT402, under one schedule."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared_testing.loop.ending import Stuck

if TYPE_CHECKING:
    from shared_testing.exploration.loop import ExploringLoop
    from shared_testing.findings import Finding


class Deadlock(Stuck):
    """Nothing can make progress under this schedule; the finding says who waits for whom."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class Livelock(Stuck):
    """Tasks run on and on, and nothing changes."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def deadlock(loop: ExploringLoop) -> Deadlock:
    """To be raised out of the loop. The main task is cancelled: if the loop runs again, its cleanup frees its locks."""
    # Some milliseconds of import that only those pay who need the words.
    from shared_testing.detectors.deadlock import RULE
    from shared_testing.findings import Finding
    from shared_testing.loop.waits import suspended_in
    from shared_testing.verdicts.standstill import verdict

    main = _main(loop)
    if main is None:
        return Deadlock(Finding(RULE, "nothing can wake the event loop", None))
    found = verdict(RULE, main, suspended_in(loop), [], None)
    main.cancel()
    return Deadlock(found)


def livelock(loop: ExploringLoop, turns: int) -> Livelock:
    """As :func:`deadlock`."""
    from shared_testing.detectors.deadlock import RULE
    from shared_testing.findings import Finding
    from shared_testing.loop.waits import suspended_in, wait_of

    main = _main(loop)
    waits = [wait for wait in suspended_in(loop) if wait.site is not None]
    running = [wait for wait in waits if wait.on is None] or waits
    found = Finding(
        RULE,
        f"livelock: the loop has made {turns:,} turns, and the test has not ended",
        running[0].site if running else None,
        cause="tasks look again and again at what nobody is left to change",
        fix="wait for an asyncio.Event or Condition that is set by whoever changes the state",
        details=tuple(f"{wait.task.get_name()!r} goes round at {wait.site}" for wait in running[1:4]),
    )
    if main is not None:
        wait_of(main) if isinstance(main, asyncio.Task) else None
        main.cancel()
    return Livelock(found)


def _main(loop: ExploringLoop) -> asyncio.Future[Any] | None:
    return loop.mains[-1] if loop.mains else None
