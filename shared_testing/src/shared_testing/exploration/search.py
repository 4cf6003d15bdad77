"""Which schedules to run, in which order, and what came of it.

The search does not run anything. Whoever does asks for the next schedule, runs the program afresh on a loop of that
schedule, and says how it ended: so pytest can set up its fixtures for each run.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.cancelling import Cancelling
from shared_testing.exploration.report import difference
from shared_testing.exploration.result import Result
from shared_testing.exploration.schedule import LATENESS, Schedule
from shared_testing.exploration.shrink import shrink
from shared_testing.exploration.strategies import Fixed, Replayed, Strategy, seeded
from shared_testing.exploration.timeline import Recorder
from shared_testing.exploration.token import LONGEST, StaleToken, Token, check_of, parse
from shared_testing.exploration.verdicts import Deadlock, Livelock, holders_known
from shared_testing.exploration.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import TypeAlias

    from shared_testing.exploration.cancelling import Point

    Runs: TypeAlias = Generator[Schedule, None, None]

MOST_IN_ORDER = 200
"""So many runs of the budget go to the search in order; the rest to the seeded mix."""


class Search:
    """Gives schedules, and takes how they ended.

    ``while (schedule := search.next()) is not None: ...; search.ended(error_or_None)``; then ``search.result``.
    """

    def __init__(
        self,
        schedules: int = 200,
        *,
        seed: int | None = None,
        replay: str | None = None,
        cancel: bool | str = False,
        lateness: float | None = None,
        lasting_yields: bool = False,
    ) -> None:
        self.result = Result()
        self._budget = schedules
        self._seed = seed or 0
        self._in_order = seed is None
        self._cancel = cancel
        self._token = parse(replay) if replay is not None else None
        self._lateness = LATENESS if lateness is None else lateness
        self._lateness_given = lateness is not None and lateness != LATENESS
        self._lasting_yields = lasting_yields
        if self._token is not None:
            self._lasting_yields = self._token.lasting_yields
            if self._token.lateness_ms is not None:
                self._lateness = self._token.lateness_ms / 1000
        self._has_diverged = False
        self._random_state: object = None
        self._runs = self._all()
        self._schedule: Schedule | None = None

    # ------------------------------------------------------------ for whoever runs the schedules

    def next(self) -> Schedule | None:
        """The next one to run; None when the search is over."""
        if self._random_state is None:
            self._random_state = random.getstate()
        self._schedule = next(self._runs, None)
        if self._schedule is None:
            self.close()
        else:
            # What a program throws dice for (the jitter of a retry) is then the same in each run.
            random.seed(0)
        return self._schedule

    def ended(self, error: BaseException | None) -> None:
        """Say how the last schedule ended: the exception that came out, or None."""
        if self._schedule is not None:
            self._schedule.error = error

    def close(self) -> None:
        """Leave the search; by itself it does so at its end."""
        if self._random_state is not None:
            random.setstate(self._random_state)  # type: ignore[arg-type]

    # ------------------------------------------------------------ the order of the search

    def _all(self) -> Runs:
        if self._token is not None:
            yield from self._replayed(self._token)
            return
        base = self._made(Fixed(), counting=True)
        yield from self._counted(base)
        if self._fails(base):
            yield from self._found(base)
            return
        level = [base]
        if self._cancel and not (yield from self._cancellations(base, level)):
            return
        if self._in_order:
            yield from self._breadth_first(level)
        if self.result.failure is None and not self.result.exhausted:
            yield from self._mix(base)
        # A reason that is known needs no search for another.
        if self._has_diverged and not self.result.uncontrolled:
            yield from self._first_difference()

    def _breadth_first(self, level: list[Schedule]) -> Runs:
        """By the number of deviations: the first failure has the fewest, and each level that is done is a proof."""
        self.result.complete = 0
        while level:
            following = []
            for parent in level:
                for deviations in _one_more(parent):
                    if self.result.schedules >= min(self._budget, MOST_IN_ORDER):
                        return
                    child = self._made(Fixed(deviations), _point_of(parent))
                    yield from self._counted(child)
                    self._compare(parent, child, max(deviations))
                    if self._fails(child):
                        yield from self._found(child)
                        return
                    following.append(child)
            self.result.complete += 1 if following else 0
            level = following
        self.result.exhausted = True

    def _mix(self, base: Schedule) -> Runs:
        points = list(base.cancelling.points) if base.cancelling is not None else []
        while self.result.schedules < self._budget:
            number = self.result.schedules
            schedule = self._made(*self._seeded(number, base, points))
            yield from self._counted(schedule)
            if self._fails(schedule):
                yield from self._found(schedule, number)
                return

    def _seeded(self, number: int, base: Schedule, points: list[Point]) -> tuple[Strategy, Point | None]:
        dice = random.Random(self._seed * 1_000_003 + number)  # noqa: S311 - no secrets
        point = dice.choice(points) if points else None
        return seeded(dice, number, base.widths, self._lateness), point

    def _cancellations(self, base: Schedule, done: list[Schedule]) -> Generator[Schedule, None, bool]:
        """One run for each point, those on different lines first. Returns whether there is more to do."""
        points = base.cancelling.points if base.cancelling is not None else {}
        names = base.cancelling.names if base.cancelling is not None else set()
        if isinstance(self._cancel, str) and self._cancel not in names:
            known = ", ".join(sorted(names)) or "none but the test's own"
            raise ValueError(f"cancel={self._cancel!r}: no task of that name was created; the tasks are: {known}")
        for point in _different_first(points):
            if self.result.schedules >= self._budget:
                return False
            schedule = self._made(Fixed(), point)
            yield from self._counted(schedule)
            if self._fails(schedule):
                yield from self._found(schedule)
                return False
            done.append(schedule)
        return True

    # ------------------------------------------------------------ single runs

    def _made(
        self, strategy: Strategy, point: Point | None = None, *, counting: bool = False, record: bool = False
    ) -> Schedule:
        cancelling = None
        if point is not None or (counting and self._cancel):
            cancelling = Cancelling(self._cancel or True, point)
        return Schedule(
            strategy,
            lateness=self._lateness,
            lasting_yields=self._lasting_yields,
            cancelling=cancelling,
            recorder=Recorder() if record else None,
        )

    def _counted(self, schedule: Schedule) -> Runs:
        self.result.schedules += 1
        yield from self._run(schedule)
        if schedule.cancelling is not None and schedule.cancelling.landed:
            self.result.cancellations += 1
            self.result.unjudged += isinstance(schedule.error, asyncio.CancelledError)

    def _run(self, schedule: Schedule) -> Runs:
        yield schedule
        schedule.loop = None
        if schedule.uncontrolled and schedule.uncontrolled not in self.result.uncontrolled:
            self.result.uncontrolled.append(schedule.uncontrolled)

    def _fails(self, schedule: Schedule) -> bool:
        # A main task that awaits whom we have cancelled is cancelled too: then the test's own assertion was not asked.
        excused = schedule.cancelling is not None and schedule.cancelling.landed
        return schedule.error is not None and not (excused and isinstance(schedule.error, asyncio.CancelledError))

    def _first_difference(self) -> Runs:
        """Run asyncio's own order twice more, and name the step in which the two differ."""
        one, other = Witness(), Witness()
        asked: dict[str, None] = {}
        for witness in (one, other):
            schedule = self._made(Fixed())
            schedule.recorder = witness
            yield from self._run(schedule)
            asked |= witness.asked | dict.fromkeys(schedule.posted_by)
        self._diverged(difference(one.timeline.steps, other.timeline.steps, list(asked)))

    def _compare(self, parent: Schedule, child: Schedule, position: int) -> None:
        """Up to the deviation both had the same choices, if the schedule is all that decides."""
        same = parent.prints[:position] == child.prints[:position]
        if not same or child.widths[position : position + 1] != parent.widths[position : position + 1]:
            self._has_diverged = True

    def _diverged(self, what: str) -> None:
        if what not in self.result.uncontrolled:
            self.result.uncontrolled.append(what)

    # ------------------------------------------------------------ a failure

    def _found(self, failing: Schedule, number: int | None = None) -> Runs:
        best = dict(failing.deviations)
        point = _point_of(failing)
        if number is not None:
            best = yield from self._shrunk(failing, point)
        final = self._made(Fixed(best), point, record=True)
        with holders_known():
            yield from self._run(final)
        if not self._fails(final):
            self._diverged("the failure did not come again when its schedule was run once more")
            yield from self._first_difference()
            self._tell(failing, point, number)
        else:
            self._tell(final, point, number)

    def _shrunk(self, failing: Schedule, point: Point | None) -> Generator[Schedule, None, dict[int, int]]:
        wanted = _signature(failing.error)
        attempts = shrink(failing.deviations)
        came_to: dict[int, int] | None = None
        try:
            attempt = next(attempts)
            while True:
                tried = self._made(Fixed(attempt), point)
                yield from self._run(tried)
                same = self._fails(tried) and _signature(tried.error) == wanted
                came_to = tried.deviations if same else None
                attempt = attempts.send(came_to)
        except StopIteration as end:
            shrunk: dict[int, int] = end.value
            return shrunk

    def _tell(self, failing: Schedule, point: Point | None, number: int | None) -> None:
        result = self.result
        result.failure, result.deviations, result.complete = failing.error, len(failing.deviations), None
        result.cancelled = failing.cancelling.landed if failing.cancelling is not None else ""
        if failing.recorder is not None:
            result.timeline = failing.recorder.timeline
        check = check_of(failing.prints, failing.deviations)
        token = self._as_token(Token(failing.nexts, failing.others, cancel=point, check=check))
        if len(token) > LONGEST and number is not None:
            token = self._as_token(Token(cancel=point, run=(self._seed, number)))
        result.token = token

    def _as_token(self, token: Token) -> str:
        lateness = round(self._lateness * 1000) if self._lateness != LATENESS else None
        return str(replace(token, lasting_yields=self._lasting_yields, lateness_ms=lateness))

    # ------------------------------------------------------------ replay

    def _replayed(self, token: Token) -> Runs:
        strategy: Strategy = Replayed(token.nexts, token.others)
        if token.run is not None:
            base = self._made(Fixed())
            yield from self._run(base)
            self._seed = token.run[0]
            strategy, _ = self._seeded(token.run[1], base, [])
        schedule = self._made(strategy, token.cancel, record=True)
        with holders_known():
            yield from self._counted(schedule)
        result = self.result
        result.deviations = len(schedule.deviations)
        result.cancelled = schedule.cancelling.landed if schedule.cancelling is not None else ""
        if schedule.recorder is not None:
            result.timeline = schedule.recorder.timeline
        if self._fails(schedule):
            result.failure, result.token = schedule.error, str(token)
        elif token.run is None and not self._fits(token, schedule):
            raise StaleToken(
                f"the token {token} no longer fits the code: the program has other choices than when it was made, so "
                "its pass proves nothing; explore anew"
            )

    def _fits(self, token: Token, schedule: Schedule) -> bool:
        if schedule.cancelling is not None and not schedule.cancelling.landed:
            return False
        same = (token.nexts, token.others) == (schedule.nexts, schedule.others)
        return same and check_of(schedule.prints, schedule.deviations) == token.check


def _point_of(schedule: Schedule) -> Point | None:
    return schedule.cancelling.at if schedule.cancelling is not None else None


def _one_more(parent: Schedule) -> Generator[dict[int, int], None, None]:
    deviations = parent.deviations
    for position in range(max(deviations, default=-1) + 1, len(parent.widths)):
        for value in range(1, parent.widths[position]):
            yield {**deviations, position: value}


def _different_first(points: Mapping[Point, object]) -> list[Point]:
    seen: set[object] = set()
    first: list[Point] = []
    again: list[Point] = []
    for point, place in points.items():
        (again if place in seen else first).append(point)
        seen.add(place)
    return first + again


def _signature(error: BaseException | None) -> Any:
    """What makes two failures the same: the kind of error, and the function that raised it."""
    if error is None or isinstance(error, (Deadlock, Livelock)):
        return type(error)
    traceback, code = error.__traceback__, None
    while traceback is not None:
        code, traceback = traceback.tb_frame.f_code, traceback.tb_next
    return type(error), code and (code.co_filename, code.co_qualname)
