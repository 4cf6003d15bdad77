"""What ran between what, under one schedule."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.tasks import number_of
from shared_testing.loop.waits import name_of, wait_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared_testing.exploration.arrivals import Arrival
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


@dataclass(slots=True)
class Timeline:
    """The steps of a run, in their order."""

    steps: list[Step] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self, most: int = _MOST_LINES) -> list[str]:
        """One for each step; `*` marks the deviations. Of many only the last ones, and those that deviate."""
        left_out = max(0, len(self.steps) - most)
        shown = [step for at, step in enumerate(self.steps) if at >= left_out or step.deviates]
        width = max((len(step.task) for step in shown), default=0)
        return [_line(step, width) for step in shown]


def _line(step: Step, width: int) -> str:
    begins = f"{step.begins.line}: {step.begins.source}" if step.begins is not None else "starts"
    ends = f"{step.ends.line}: {step.ends.source}" if step.ends is not None else "ends"
    return f"{step.at:8.4f}s {'*' if step.deviates else ' '} {step.task:<{width}}  {begins}  ->  {ends}"


class Recorder:
    """Runs the callbacks of a loop, and notes the steps of its tasks."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self._deviant: asyncio.Handle | None = None
        self._deviates = False

    def deviates(self, options: Sequence[Arrival | None], chosen: int) -> None:
        """The schedule has taken another option than the first."""
        self._deviates = True

    def run(self, loop: ExploringLoop, handle: asyncio.Handle) -> None:
        task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
        if not isinstance(task, asyncio.Task):
            handle._run()
            return
        name, number = _label(task), number_of(task, loop)
        begins, at = _site(task), loop.clock.now
        handle._run()
        step = Step(at, name, number, begins, None if task.done() else _site(task), self._deviates)
        self.timeline.steps.append(step)
        self._deviates = False


def _label(task: asyncio.Task[Any]) -> str:
    own = task.get_name()
    return name_of(task) if own.startswith("Task-") else own


def _site(task: asyncio.Task[Any]) -> Site | None:
    return wait_of(task).site
