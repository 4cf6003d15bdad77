"""Which schedules to run, in which order, and what came of it.

The search does not run anything. Whoever does asks for the next schedule, runs the program afresh on a loop of that
schedule, and says how it ended: so pytest can set up its fixtures for each run.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from shared_testing.exploration.attempts import Attempts, one_more, point_of
from shared_testing.exploration.failing import Failing
from shared_testing.exploration.rare_orders import Census, rare_orders
from shared_testing.exploration.result import Result
from shared_testing.exploration.strategies import Fixed, Replayed, Strategy, seeded
from shared_testing.exploration.token import StaleToken, Token, check_of, parse
from shared_testing.exploration.verdicts import holders_known

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from shared_testing.exploration.attempts import Runs
    from shared_testing.exploration.cancelling import Point
    from shared_testing.exploration.schedule import Schedule

MOST_IN_ORDER = 200
"""So many runs of the budget go to the search in order; the rest to rare orders and the seeded mix."""


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
        self._dice = random.Random()  # noqa: S311 - no secrets
        self._in_order = seed is None
        self._cancel = cancel
        self._token = parse(replay) if replay is not None else None
        if self._token is not None:
            lasting_yields = self._token.lasting_yields
            if self._token.lateness_ms is not None:
                lateness = self._token.lateness_ms / 1000
        if lateness is not None and lateness != round(lateness, 3):
            raise ValueError(f"lateness={lateness!r}: give seconds, in whole milliseconds as a token does")
        self._attempts = Attempts(self.result, cancel=cancel, lateness=lateness, lasting_yields=lasting_yields)
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
        census = Census()
        base = self._attempts.made(census, counting=True)
        yield from self._attempts.counted(base)
        if self._attempts.fails(base):
            yield from Failing(self._attempts, base, is_shortest=True).told()
            return
        level = [base]
        if self._cancel and not (yield from self._cancellations(base, level)):
            return
        if self._in_order:
            yield from self._breadth_first(level)
            if self._is_open() and not self._cancel:
                yield from self._rare_orders(census)
        if self._is_open():
            yield from self._mix(base)
        # A reason that is known needs no search for another.
        if self._attempts.has_diverged and not self.result.uncontrolled:
            yield from self._attempts.first_difference()

    def _is_open(self) -> bool:
        return self.result.failure is None and not self.result.exhausted

    def _breadth_first(self, level: list[Schedule]) -> Runs:
        """By the number of deviations: the first failure has the fewest, and each level that is done is a proof."""
        self.result.complete = 0
        while level:
            following = []
            for parent in level:
                for deviations in one_more(parent):
                    if self.result.schedules >= min(self._budget, MOST_IN_ORDER):
                        return
                    child = self._attempts.made(Fixed(deviations), point_of(parent))
                    yield from self._attempts.counted(child)
                    self._attempts.compare(parent, child, max(deviations))
                    if self._attempts.fails(child):
                        yield from Failing(self._attempts, child, is_shortest=True).told()
                        return
                    following.append(child)
            self.result.complete += 1 if following else 0
            level = following
        self.result.exhausted = True

    def _rare_orders(self, census: Census) -> Runs:
        for strategy in rare_orders(census):
            if self.result.schedules >= self._budget:
                return
            schedule = self._attempts.made(strategy)
            yield from self._attempts.counted(schedule)
            if self._attempts.fails(schedule):
                yield from Failing(self._attempts, schedule).told()
                return

    def _mix(self, base: Schedule) -> Runs:
        points = list(base.cancelling.points) if base.cancelling is not None else []
        while self.result.schedules < self._budget:
            number = self.result.schedules
            schedule = self._attempts.made(*self._seeded(number, base, points))
            yield from self._attempts.counted(schedule)
            if self._attempts.fails(schedule):
                yield from Failing(self._attempts, schedule, turn=(self._seed, number)).told()
                return

    def _seeded(self, number: int, base: Schedule, points: list[Point]) -> tuple[Strategy, Point | None]:
        # One for all runs: to make one is to seed it twice.
        dice = self._dice
        dice.seed(self._seed * 1_000_003 + number)
        point = dice.choice(points) if points else None
        return seeded(dice, number, base.widths, self._attempts.lateness), point

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
            schedule = self._attempts.made(Fixed(), point)
            yield from self._attempts.counted(schedule)
            if self._attempts.fails(schedule):
                yield from Failing(self._attempts, schedule, is_shortest=True).told()
                return False
            done.append(schedule)
        return True

    # ------------------------------------------------------------ replay

    def _replayed(self, token: Token) -> Runs:
        strategy: Strategy = Replayed(token.nexts, token.others)
        if token.run is not None:
            base = self._attempts.made(Fixed())
            yield from self._attempts.run(base)
            self._seed = token.run[0]
            strategy, _ = self._seeded(token.run[1], base, [])
        schedule = self._attempts.made(strategy, token.cancel, record=True)
        with holders_known():
            yield from self._attempts.counted(schedule)
        result = self.result
        result.deviations = len(schedule.deviations)
        self._attempts.tell_cancelled(schedule)
        if schedule.recorder is not None:
            result.timeline = schedule.recorder.timeline
        if self._attempts.fails(schedule):
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


def _different_first(points: Mapping[Point, object]) -> list[Point]:
    seen: set[object] = set()
    first: list[Point] = []
    again: list[Point] = []
    for point, place in points.items():
        (again if place in seen else first).append(point)
        seen.add(place)
    return first + again
