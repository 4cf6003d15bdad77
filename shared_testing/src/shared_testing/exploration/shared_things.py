"""Which thing several tasks changed, where it can be read from the lines that they stopped at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.evidence.lost_updates import lost_updates
from shared_testing.findings.syntax import async_functions_at

if TYPE_CHECKING:
    from shared_testing.evidence.lost_updates import LostUpdate
    from shared_testing.exploration.timeline import Timeline
    from shared_testing.findings.site import Site


def shared_things(timeline: Timeline) -> list[str]:
    """A sentence for each value that was read before an await and written back after it, by several tasks."""
    return [_told(update, tasks) for update, tasks in _updates(timeline)]


def shared_updates(timeline: Timeline) -> list[LostUpdate]:
    """The same as places."""
    return [update for update, _ in _updates(timeline)]


def _updates(timeline: Timeline) -> list[tuple[LostUpdate, int]]:
    """With the number of tasks that came by."""
    tasks: dict[tuple[str, str], set[int]] = {}
    sites: dict[tuple[str, str], Site] = {}
    for step in timeline.steps:
        for site in (step.begins, step.ends):
            if site is not None:
                tasks.setdefault((site.path, site.function), set()).add(step.number)
                sites[site.path, site.function] = site
    several = [(sites[place], len(numbers)) for place, numbers in tasks.items() if len(numbers) > 1]
    return [
        (update, number)
        for site, number in several
        for function in async_functions_at(site)
        for update in lost_updates(site.path, function, site.function)
    ]


def _told(update: LostUpdate, tasks: int) -> str:
    return (
        f"{update.what} is read at {update.read.line}, and written at {update.write.line} from that older value: "
        f"{tasks} tasks did so at once in {update.write.function}"
    )
