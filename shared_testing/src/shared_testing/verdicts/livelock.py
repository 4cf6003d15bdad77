"""Why a loop that never rests comes no further: from its pollers to one finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_testing.evidence.polling import loop_of, may_end
from shared_testing.findings import Finding
from shared_testing.loop.waits import suspended_in, wait_of
from shared_testing.verdicts import standstill
from shared_testing.verdicts.wording import names, what
from shared_testing.verdicts.wrong_loop import wrong_loop_polled

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from shared_testing.findings import Rule
    from shared_testing.loop.waits import Wait

_MOST_OTHERS = 4


def verdict(
    rule: Rule,
    main: asyncio.Task[Any],
    pollers: list[Wait],
    others: Sequence[asyncio.AbstractEventLoop],
    test: object,
    note: str,
) -> Finding:
    """There is at least one poller; `note` says how long it has gone on."""
    waits = suspended_in(main.get_loop())
    last = standstill.last_wait(main, waits)
    # A heartbeat goes round for ever, and is meant to: it only keeps the loop awake.
    if last is not None and not any(may_end(wait.task) or wait.task is last.task for wait in pollers):
        return standstill.verdict(rule, main, waits, others, test)
    for wait in sorted(pollers, key=lambda each: each.task is not main) if others else ():
        if (found := wrong_loop_polled(rule, wait, names([wait.task])[wait.task], others, test)) is not None:
            return found
    return _livelock(rule, pollers, main, note)


def _livelock(rule: Rule, pollers: list[Wait], main: asyncio.Task[Any], note: str) -> Finding:
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
