"""The tasks of a test as plain data, which travels with its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_testing.page.document import visible

if TYPE_CHECKING:
    from shared_testing.findings.site import Site
    from shared_testing.loop.task_times import TaskTime, TaskTimes

_LONGEST = 120


def task_data(times: TaskTimes) -> dict[str, Any]:
    """As short as it can be said: there is one for each test."""
    places: dict[str, int] = {}
    tasks = [_task(each, places) for each in times.tasks]
    data: dict[str, Any] = {"says": str(times), "until": _seconds(times.until), "tasks": tasks}
    if times.made:
        data |= {"made": times.made, "most": times.most_at_once}
    elif times.waits > 1:
        data["waits"] = times.waits
    if times.more_tasks:
        data["moreTasks"] = times.more_tasks
    if times.more_steps:
        data["moreSteps"] = times.more_steps
    return data | {"places": list(places)}


def _task(time: TaskTime, places: dict[str, int]) -> list[Any]:
    """Name, made at, ended at, whether it is the outermost, place, steps of begin, length, place."""
    steps = [[_seconds(begins), _seconds(ends - begins), _place(site, places)] for begins, ends, site in time.steps]
    ended = _seconds(time.ended) if time.ended is not None else None
    made = _place(time.site, places)
    # Under xdist it is sent in UTF-8, which has no halves of surrogate pairs.
    return [visible(time.name)[:_LONGEST], _seconds(time.created), ended, int(time.is_outermost), made, steps]


def _place(site: Site | None, places: dict[str, int]) -> int | None:
    if site is None:
        return None
    text = visible(f"{Path(site.path).name}:{site.line}: {site.source}")[:_LONGEST]
    return places.setdefault(text, len(places))


def _seconds(value: float) -> float:
    return round(value, 6)
