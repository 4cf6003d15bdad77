"""A schedule as swim lanes: a row for each task, time across, a box for each step.

Steps take no virtual time, so a true scale would put most of them into one point. Each step has a place of its own, in
the order in which they ran; where time passes there is a gap with the moment above it. Text, SVG and the page draw the
same lanes.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from shared_testing.exploration.shared_things import shared_updates
from shared_testing.findings.syntax import covers, loops_at, own_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared_testing.evidence.lost_updates import LostUpdate
    from shared_testing.exploration.timeline import Step, Timeline
    from shared_testing.findings.site import Site

MOST_STEPS = 80
"""Of more, those are drawn that came last, and those that deviate."""
MOST_ROWS = 24


@dataclass(frozen=True, slots=True)
class Box:
    """One step."""

    number: int
    """Its place in the schedule, from 1."""
    row: int
    column: float
    at: float
    begins: str
    """Where it had waited: the line and its text."""
    ends: str
    where: str
    """The file and the function of the line where it stops."""
    deviates: bool
    touches: tuple[str, ...]
    """``reads self.count``, ``writes self.count``: of what several tasks share."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """What is drawn. Columns are counted from 0; a step is one wide."""

    rows: tuple[str, ...]
    """The names of the tasks, in the order in which they first ran."""
    started: tuple[str, ...]
    """For each of them the line that started it; empty if it is not known."""
    boxes: tuple[Box, ...]
    waits: tuple[tuple[int, float, float], ...]
    """Row, from, to: where a task waits."""
    moments: tuple[tuple[float, float], ...]
    """Column and virtual second: where time has passed."""
    columns: float
    left_out: int
    """How many steps are not drawn."""


_GAP = 0.7


def lanes_of(timeline: Timeline, shared: Sequence[LostUpdate] = ()) -> Lanes:
    """The picture of a run. `shared`: what several tasks read and write, by the run that shows it."""
    shared = shared or shared_updates(timeline)
    steps = list(enumerate(timeline.steps, 1))
    drawn = [(number, step) for number, step in steps if step.deviates or number > len(steps) - MOST_STEPS]
    names = timeline.names()
    numbers = list(dict.fromkeys(step.number for _, step in drawn))[:MOST_ROWS]
    rows = {number: row for row, number in enumerate(numbers)}
    drawn = [(number, step) for number, step in drawn if step.number in rows]
    column, moment = 0.0, -1.0
    boxes: list[Box] = []
    moments: list[tuple[float, float]] = []
    for number, step in drawn:
        if step.at != moment:
            column += _GAP if boxes else 0
            moments.append((column, step.at))
            moment = step.at
        boxes.append(_box(number, step, rows[step.number], column, shared))
        column += 1
    return Lanes(
        tuple(names[number] for number in numbers),
        tuple(_line(timeline.started.get(number), "") for number in numbers),
        tuple(boxes),
        tuple(_waits(boxes)),
        tuple(moments),
        column,
        len(steps) - len(drawn),
    )


def _box(number: int, step: Step, row: int, column: float, shared: Sequence[LostUpdate]) -> Box:
    touches = tuple(dict.fromkeys(touch for update in shared for touch in _touches(step, update)))
    begins, ends = _line(step.begins, "starts"), _line(step.ends, "ends")
    return Box(number, row, column, step.at, begins, ends, str(step.ends or step.begins or ""), step.deviates, touches)


def _line(site: Site | None, otherwise: str) -> str:
    return f"{site.line}: {site.source}" if site is not None else otherwise


def _waits(boxes: Sequence[Box]) -> list[tuple[int, float, float]]:
    """From the end of each step to the next one of the same task."""
    last: dict[int, Box] = {}
    waits = []
    for box in boxes:
        before = last.get(box.row)
        if before is not None:
            waits.append((box.row, before.column + 1, box.column))
        last[box.row] = box
    return waits


def _touches(step: Step, update: LostUpdate) -> list[str]:
    """Whether the step has read what is shared, or written it: by the lines that it ran through."""
    own = (update.read.path, update.read.function)
    begins, ends = [site if site is not None and site[::2] == own else None for site in (step.begins, step.ends)]
    touches = []
    # What stands on the line of an await is read before it waits, and written after it has.
    if ends is not None and any(lines.first < update.read.line <= lines.last for lines in _ran(begins, ends)):
        touches.append(f"reads {update.what}")
    if begins is not None and any(lines.first <= update.write.line < lines.last for lines in _ran(begins, ends)):
        touches.append(f"writes {update.what}")
    return touches


class _Lines(NamedTuple):
    first: int
    last: int


_FIRST, _LAST = 0, 10**9


def _ran(begins: Site | None, ends: Site | None) -> list[_Lines]:
    """From one await of a function to the next: straight on, or by the end of a loop and its head."""
    first, last = begins.line if begins is not None else _FIRST, ends.line if ends is not None else _LAST
    if begins is None or ends is None or first < last:
        return [_Lines(first, last)]
    loop = next((each for each in reversed(list(loops_at(begins))) if covers([each], last)), None)
    if loop is None:
        return [_Lines(first, _LAST)]
    awaits = {node.lineno for node in own_nodes(loop) if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith))}
    if first == last and awaits != {first}:
        # Woken in vain, more likely than round the whole loop without a stop: a queue was empty again.
        return []
    return [_Lines(first, _LAST if loop.end_lineno is None else loop.end_lineno + 1), _Lines(loop.lineno - 1, last)]
