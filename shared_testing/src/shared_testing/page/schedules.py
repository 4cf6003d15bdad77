"""A failed exploration, as the page shows it: the failing run beside asyncio's own order."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.lanes import lanes_of
from shared_testing.exploration.meanwhile import changed_meanwhile
from shared_testing.exploration.shared_things import shared_things, shared_updates
from shared_testing.exploration.verdicts import ProvedStuck

if TYPE_CHECKING:
    from shared_testing.exploration.lanes import Lanes
    from shared_testing.exploration.result import Result
    from shared_testing.exploration.timeline import Timeline


_MOST_MESSAGE = 600
_KEPT = ("row", "column", "at")


def schedule_data(result: Result, passing: Timeline | None, command: str = "") -> dict[str, Any]:
    """Plain data. `passing`: the run in asyncio's own order, where that passes."""
    shared, failure = shared_updates(result.timeline), result.failure
    things = shared_things(result.timeline)
    return {
        # A standstill says nothing but what the finding does.
        "failure": "" if isinstance(failure, ProvedStuck) else f"{type(failure).__name__}: {failure}"[:_MOST_MESSAGE],
        "deviations": result.deviations,
        "schedules": result.schedules,
        "cancelled": result.cancelled,
        "token": result.token or "",
        "command": command,
        "shared": (things or ([] if result.cancelled else changed_meanwhile(result.timeline)))[:4],
        "failing": lanes_data(lanes_of(result.timeline, shared)),
        "passing": lanes_data(lanes_of(passing, shared)) if passing is not None and passing.steps else None,
        "uncontrolled": result.uncontrolled[:4],
    }


def timeline_data(timeline: Timeline) -> dict[str, Any]:
    """One run by itself, of which it is not known how it has ended."""
    return {
        "deviations": sum(step.deviates for step in timeline.steps),
        "shared": shared_things(timeline)[:4],
        "failing": lanes_data(lanes_of(timeline)),
        "uncontrolled": [],
    }


def lanes_data(lanes: Lanes) -> dict[str, Any]:
    """As short as it can be said: a page may hold many."""
    data = asdict(lanes)
    data["boxes"] = [
        {key: value for key, value in box.items() if key in _KEPT or (value and key != "where")}
        for box in data["boxes"]
    ]
    return data
