"""Why a loop that never rests comes no further: from its pollers to one finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_testing.evidence.polling import loop_of
from shared_testing.findings import Finding
from shared_testing.loop.waits import wait_of
from shared_testing.verdicts.wording import names, what

if TYPE_CHECKING:
    import asyncio

    from shared_testing.findings import Rule
    from shared_testing.loop.waits import Wait

_MOST_OTHERS = 4


def livelock(rule: Rule, pollers: list[Wait], main: asyncio.Task[Any], note: str = "") -> Finding:
    """At least one poller; `note` says how long it has gone on."""
    known = names([wait.task for wait in pollers])
    first = next((wait for wait in pollers if wait.task is main), pollers[0])
    others = [wait for wait in pollers if wait is not first]
    around = [site for site in (loop_of(first.task),) if site is not None and site != first.site]
    notes = [f"it goes round in {site}: {site.source}" for site in around]
    notes += [f"{known[wait.task]!r} does the same at {wait.site}" for wait in others[:_MOST_OTHERS]]
    if first.task is not main:
        waiting = wait_of(main)
        notes.append(f"the test {what(waiting)} at {waiting.site}")
    return Finding(
        rule,
        f"livelock: {known[first.task]!r} looks again and again, and nothing can change what it looks at",
        first.site,
        cause="each gives way to the other, and both come back to where they were"
        if others
        else "it polls, and no task, timer, connection or thread is left that could change the state it polls",
        fix="wait for an asyncio.Event or Condition that is set by whoever changes the state"
        + (", and let one of them go first" if others else ", and see to it that somebody does"),
        details=(*notes, note) if note else tuple(notes),
    )
