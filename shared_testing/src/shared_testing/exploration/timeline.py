"""What ran between what, under one schedule."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.drawing import as_html, as_svg
from shared_testing.exploration.tasks import has_begun, number_of
from shared_testing.loop.waits import name_of, wait_of

if TYPE_CHECKING:
    from shared_testing.exploration.loop import ExploringLoop
    from shared_testing.findings.site import Site

_MOST_LINES = 24


@dataclass(frozen=True, slots=True)
class Step:
    """One task, from one await to the next."""

    at: float
    """Virtual seconds since the loop was made."""
    task: str
    number: int
    begins: Site | None
    """Where it had waited; None in its first step."""
    ends: Site | None
    """Where it waits now; None when it has ended."""
    deviates: bool
    """asyncio itself would have let somebody else go first."""
    overtook: int | None = None
    """That one's number, where it is known."""


@dataclass(slots=True)
class Timeline:
    """The steps of a run, in their order."""

    steps: list[Step] = field(default_factory=list)
    started: dict[int, Site] = field(default_factory=dict)
    """The user's line that started the task of that number."""

    def __str__(self) -> str:
        return "\n".join(self.lines(len(self.steps)))

    def lines(self, most: int = _MOST_LINES) -> list[str]:
        """One for each step, equal ones together; `*`: it deviates. Of many only the last, and those that deviate."""
        left_out = max(0, len(self.steps) - most)
        shown = [step for at, step in enumerate(self.steps) if at >= left_out or step.deviates]
        names = self.names()
        width = max((len(names[step.number]) for step in shown), default=0)
        lines = [
            (f"{step.at:8.4f}s {'*' if step.deviates else ' '}", names[step.number], _moves(step)) for step in shown
        ]
        told = []
        for (at, _, moves), group in groupby(lines, key=lambda line: (line[0], line[1].partition("#")[0], line[2])):
            first, *others = [name for _, name, _ in group]
            told.append(f"{at} {first:<{width}}  {moves}" + (f"  (and {len(others)} others)" if others else ""))
        return told

    def overtaken(self) -> tuple[Step, Step] | None:
        """The step with which a task came to the await where it was overtaken first, and the step that overtook it."""
        for at, step in enumerate(self.steps):
            if not step.deviates:
                continue
            last = {each.number: each for each in self.steps[:at] if each.number != step.number}
            waiting = [each for each in last.values() if each.ends is not None]
            # Where it is not known, whoever went on first after that.
            after = [each.number for each in self.steps[at:]]
            waiting.sort(key=lambda each: (each.number != step.overtook, _place(each.number, after)))
            if waiting:
                return waiting[0], step
        return None

    @property
    def svg(self) -> str:
        """A lane for each task."""
        return as_svg(self)

    @property
    def html(self) -> str:
        """The picture on a page of its own."""
        return as_html(self)

    def names(self) -> dict[int, str]:
        """What each task is called, with its number where several have the same name."""
        known = {step.number: step.task for step in self.steps}
        several = Counter(known.values())
        return {number: name if several[name] == 1 else f"{name}#{number}" for number, name in known.items()}


def _place(number: int, numbers: list[int]) -> int:
    return numbers.index(number) if number in numbers else len(numbers)


def _moves(step: Step) -> str:
    begins = f"{step.begins.line}: {step.begins.source}" if step.begins is not None else "starts"
    ends = f"{step.ends.line}: {step.ends.source}" if step.ends is not None else "ends"
    return f"{begins}  ->  {ends}"


class Recorder:
    """Runs the callbacks of a loop, and notes the steps of its tasks."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self._deviates = False
        self._overtook: int | None = None

    def started(self, task: asyncio.Task[Any], loop: ExploringLoop, site: Site | None) -> None:
        if site is not None:
            self.timeline.started[number_of(task, loop)] = site

    def deviates(self, overtook: int | None) -> None:
        """The schedule has taken another option than the first, which was that owner's: the next step is its."""
        self._deviates, self._overtook = True, overtook

    def run(self, loop: ExploringLoop, handle: asyncio.Handle) -> None:
        task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
        if not isinstance(task, asyncio.Task):
            handle._run()
            return
        name, number = _label(task), number_of(task, loop)
        begins, at = (_site(task) if has_begun(task) else None), loop.clock.now
        handle._run()
        ends = None if task.done() else _site(task)
        self.timeline.steps.append(Step(at, name, number, begins, ends, self._deviates, self._overtook))
        self._deviates, self._overtook = False, None


def _label(task: asyncio.Task[Any]) -> str:
    own = task.get_name()
    return name_of(task) if own.startswith("Task-") else own


def _site(task: asyncio.Task[Any]) -> Site | None:
    return wait_of(task).site
