"""Single runs of a search: how they are made, counted and judged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from shared_testing.exploration.cancelling import Cancelling
from shared_testing.exploration.report import difference
from shared_testing.exploration.schedule import LATENESS, Schedule
from shared_testing.exploration.strategies import Fixed
from shared_testing.exploration.timeline import Recorder
from shared_testing.exploration.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeAlias

    from shared_testing.exploration.cancelling import Point
    from shared_testing.exploration.result import Result
    from shared_testing.exploration.strategies import Strategy
    from shared_testing.exploration.token import Token

    Runs: TypeAlias = Generator[Schedule, None, None]


class Attempts:
    """Yields each schedule to whoever runs it, and notes in the result what came of it."""

    def __init__(self, result: Result, *, cancel: bool | str, lateness: float | None, lasting_yields: bool) -> None:
        self.result = result
        self.cancel = cancel
        self.lateness = result.lateness = LATENESS if lateness is None else lateness
        self.lasting_yields = lasting_yields
        self.has_diverged = False

    def made(
        self, strategy: Strategy, point: Point | None = None, *, counting: bool = False, record: bool = False
    ) -> Schedule:
        cancelling = None
        if point is not None or (counting and self.cancel):
            cancelling = Cancelling(self.cancel or True, point)
        return Schedule(
            strategy,
            lateness=self.lateness,
            lasting_yields=self.lasting_yields,
            cancelling=cancelling,
            recorder=Recorder() if record else None,
        )

    def counted(self, schedule: Schedule) -> Runs:
        """One of those that the budget is for."""
        self.result.schedules += 1
        yield from self.run(schedule)
        if schedule.cancelling is not None and schedule.cancelling.landed:
            self.result.cancellations += 1
            self.result.unjudged += isinstance(schedule.error, asyncio.CancelledError)

    def run(self, schedule: Schedule) -> Runs:
        yield schedule
        if schedule.loop is not None:
            self.result.least_apart = min(self.result.least_apart, schedule.loop.arrivals.least_apart)
            schedule.loop = None
        if schedule.uncontrolled:
            self.tell_uncontrolled(schedule.uncontrolled)

    def fails(self, schedule: Schedule) -> bool:
        # A main task that awaits whom we have cancelled is cancelled too: then the test's own assertion was not asked.
        excused = schedule.cancelling is not None and schedule.cancelling.landed
        return schedule.error is not None and not (excused and isinstance(schedule.error, asyncio.CancelledError))

    def token(self, token: Token) -> str:
        lateness = round(self.lateness * 1000) if self.lateness != LATENESS else None
        return str(replace(token, lasting_yields=self.lasting_yields, lateness_ms=lateness))

    def tell_cancelled(self, schedule: Schedule) -> None:
        if schedule.cancelling is not None:
            self.result.cancelled, self.result.cancelled_at = schedule.cancelling.landed, schedule.cancelling.landed_at

    # ------------------------------------------------------------ what no schedule decides

    def compare(self, parent: Schedule, child: Schedule, position: int) -> None:
        """Up to the deviation both had the same choices, if the schedule is all that decides."""
        same = parent.prints[:position] == child.prints[:position]
        if not same or child.widths[position : position + 1] != parent.widths[position : position + 1]:
            self.has_diverged = True

    def first_difference(self) -> Runs:
        """Run asyncio's own order twice more, and name the step in which the two differ."""
        one, other = Witness(), Witness()
        asked: dict[str, None] = {}
        for witness in (one, other):
            schedule = self.made(Fixed())
            schedule.recorder = witness
            yield from self.run(schedule)
            asked |= witness.asked | dict.fromkeys(schedule.posted_by)
        self.tell_uncontrolled(difference(one.timeline.steps, other.timeline.steps, list(asked)))

    def tell_uncontrolled(self, what: str) -> None:
        if what not in self.result.uncontrolled:
            self.result.uncontrolled.append(what)


def point_of(schedule: Schedule) -> Point | None:
    """Where it was to cancel somebody."""
    return schedule.cancelling.at if schedule.cancelling is not None else None


def one_more(parent: Schedule) -> Generator[dict[int, int], None, None]:
    """Its deviations, with each one that may follow them."""
    deviations = parent.deviations
    for position in range(max(deviations, default=-1) + 1, len(parent.widths)):
        for value in range(1, parent.widths[position]):
            yield {**deviations, position: value}
