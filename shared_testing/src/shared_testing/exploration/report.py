"""The words for a failing schedule."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from shared_testing.exploration.meanwhile import changed_meanwhile
from shared_testing.exploration.shared_things import shared_things
from shared_testing.exploration.verdicts import ProvedStuck
from shared_testing.findings import Finding
from shared_testing.findings.site import last_user_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared_testing.exploration.result import Result
    from shared_testing.exploration.timeline import Step
    from shared_testing.findings.site import Site

_MOST_LINES = 40
_MOST_ASKED = 3

_CANCELLED_FIX = "undo or hand back in a finally block what was begun, also when CancelledError comes out of this await"


def finding_of(result: Result) -> Finding:
    """The failure under the rule that it breaks; the schedule is in the details."""
    failure = result.failure
    if isinstance(failure, ProvedStuck):
        found = failure.finding
        return Finding(
            found.rule, found.symptom, found.site, found.cause, found.fix, (*found.details, *_schedule_of(result))
        )
    # The rule is that of lost updates, which are the races that show without any exploration.
    from shared_testing.detectors.lost_update import RULE

    things = shared_things(result.timeline)
    # That is less certain: two tasks may touch a thing and do each other no harm.
    touched = [] if things or result.cancelled else changed_meanwhile(result.timeline)
    raised = last_user_site(failure.__traceback__) if failure is not None else None
    return Finding(
        RULE,
        f"{type(failure).__name__} in one order of arrivals: {_first_line(failure, raised)}",
        _place(result, raised),
        cause=things[0] if things else _cause(result),
        fix=_CANCELLED_FIX if result.cancelled else "",
        details=(*_overtaking(result), *touched, *_schedule_of(result)),
    )


def _place(result: Result, raised: Site | None) -> Site | None:
    """The line to look at. An assertion only says that something went wrong, and stands in the traceback."""
    if not isinstance(result.failure, AssertionError):
        return raised
    overtaken = result.timeline.overtaken()
    return result.cancelled_at or (overtaken[0].ends if overtaken is not None else None) or raised


def _overtaking(result: Result) -> tuple[str, ...]:
    """Who overtook whom, and where the two were started."""
    timeline = result.timeline
    if (found := timeline.overtaken()) is None:
        return ()
    waiting, passing = found
    names = timeline.names()
    one, other = names[waiting.number], names[passing.number]
    ran = f"{other!r} went on at {_line(passing.begins)}" if passing.begins is not None else f"{other!r} began"
    told = [f"{ran}, while {one!r} waited at {_line(waiting.ends)}"]
    starts = [timeline.started.get(each.number) for each in (waiting, passing)]
    if starts[0] == starts[1] is not None:
        told.append(f"both were started at {_line(starts[0])}")
    else:
        named = zip((one, other), starts, strict=True)
        told += [f"{name!r} was started at {_line(site)}" for name, site in named if site is not None]
    return tuple(told)


def _line(site: Site | None) -> str:
    return f"{site}: {site.source}" if site is not None else "a line of a library's"


def report(result: Result) -> list[str]:
    """The finding, then what ran between what."""
    head = str(finding_of(result)).splitlines()
    lines = result.timeline.lines(max(4, _MOST_LINES - len(head) - 2))
    steps = ["  * = asyncio itself would have let another one go first", *lines] if lines else []
    return [*head, *steps][:_MOST_LINES]


def deviations(number: int) -> str:
    """In words."""
    return "1 deviation" if number == 1 else f"{number} deviations"


def difference(one: Sequence[Step], other: Sequence[Step], asked: Sequence[str]) -> str:
    """Where two runs of one schedule part, in words. `asked`: what the program has asked that no schedule decides."""
    different = [pair for pair in zip_longest(one, other) if pair[0] != pair[1]]
    sites = (step.ends or step.begins for pair in different for step in pair if step is not None)
    where = next((f", first at {site}" for site in sites if site is not None), "")
    if asked:
        return f"the same schedule ran differently{where}: no schedule decides {', nor '.join(asked[:_MOST_ASKED])}"
    if not different:
        return (
            "the same schedule ran differently, and then alike: one run leaves something to the next (a global, a "
            "cache, an attribute of a class)"
        )
    return (
        f"the same schedule ran differently{where}: something else decides (what a run leaves to the next, the order "
        "of a set, a file, another process or thread)"
    )


def _cause(result: Result) -> str:
    if result.cancelled:
        return "the cancellation came at a moment that the code does not provide for"
    return "" if result.deviations else "it fails in asyncio's own order too: no other is needed to see it"


def _schedule_of(result: Result) -> tuple[str, ...]:
    own = (
        "asyncio's own order" if not result.deviations else f"{deviations(result.deviations)} from asyncio's own order"
    )
    runs = f"{result.schedules} schedule{'s' if result.schedules != 1 else ''}"
    cancelled = (result.cancelled,) if result.cancelled else ()
    return (*cancelled, f"{own}, found after {runs}; replay it with the token {result.token}")


def _first_line(failure: BaseException | None, site: Site | None) -> str:
    return (str(failure).splitlines() or [site.source if site is not None else "no message"])[0][:200]
