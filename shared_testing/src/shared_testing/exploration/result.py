"""What an exploration has found, and the words for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared_testing.exploration.report import deviations as _deviations
from shared_testing.exploration.report import finding_of, report
from shared_testing.exploration.timeline import Timeline

if TYPE_CHECKING:
    from shared_testing.findings import Finding, Site

_MOST_NOTES = 4

_NEARLY = 3
"""So many times the lateness is not far away: 5 s are not 50 ms late."""


@dataclass(slots=True)
class Result:
    """What an exploration has found."""

    failure: BaseException | None = None
    """The exception of the first failing schedule, shrunk; None if all passed."""
    schedules: int = 0
    """How many were run, up to the failing one."""
    token: str | None = None
    """Replays the failing schedule."""
    complete: int | None = None
    """k, when every schedule with at most k deviations from asyncio's own order was run; else None."""
    exhausted: bool = False
    """There is no schedule left at all."""
    timeline: Timeline = field(default_factory=Timeline)
    """What ran between what, in the failing schedule."""
    deviations: int = 0
    """How many the failing schedule has."""
    cancellations: int = 0
    """How many schedules cancelled somebody."""
    unjudged: int = 0
    """In how many of them the cancellation came out of the test itself, before its own assertions."""
    lateness: float = 0.0
    """How late the outside world was, at most, in virtual seconds."""
    least_apart: float = math.inf
    """By how much more the nearest two arrivals were apart, which therefore kept their order."""
    cancelled: str = ""
    """Whom the failing schedule has cancelled, and where."""
    cancelled_at: Site | None = None
    """The await where that landed."""
    uncontrolled: list[str] = field(default_factory=list)
    """What no schedule decides, and happened all the same: a replay may differ by it."""

    @property
    def guarantee(self) -> str:
        """What a pass has proved, in one sentence."""
        if self.failure is not None:
            return ""
        if self.complete is None or self.uncontrolled:
            return f"no failure in {self.schedules} schedules, which prove nothing about the others"
        within = "any schedule"
        if not self.exhausted:
            within = f"{within} with at most {_deviations(self.complete)}" if self.complete else "asyncio's own order"
        runs = "1 run" if self.schedules == 1 else f"{self.schedules} runs"
        proved = f"no failure in {within} ({runs}, {self._cancellations()}complete)"
        return proved + (self._kept_apart() if self.exhausted else "")

    def _kept_apart(self) -> str:
        """What a little more lateness would have swapped: the world may be that late, and the test would not know."""
        if self.least_apart > _NEARLY * self.lateness:
            return ""
        # A little more than it takes: sums of floats are not exact.
        enough = (math.floor(self.least_apart * 100 + 0.01) + 1) / 100
        apart = f"what is due {self.least_apart * 1000:.0f} ms apart kept its order"
        return f"; {apart}: lateness={enough:g} swaps that too"

    def _cancellations(self) -> str:
        if not self.cancellations:
            return ""
        unjudged = f", {self.unjudged} of which ended the test before its assertions" if self.unjudged else ""
        return f"{self.cancellations} with a cancellation{unjudged}, "

    @property
    def finding(self) -> Finding | None:
        """The failure as a finding: AT401, or AT402 for a standstill; None if there is none."""
        return finding_of(self) if self.failure is not None else None

    def __str__(self) -> str:
        """What a terminal shows: at most 40 lines."""
        lines = [self.guarantee] if self.failure is None else report(self)
        return "\n".join(lines + [f"not controlled: {each}" for each in self.uncontrolled[:_MOST_NOTES]])
