"""What is made of a schedule that fails: the fewest deviations, its story and its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_testing.exploration.attempts import one_more, point_of
from shared_testing.exploration.shrink import shrink
from shared_testing.exploration.strategies import Fixed
from shared_testing.exploration.token import LONGEST, Token, check_of
from shared_testing.exploration.verdicts import ProvedStuck, holders_known

if TYPE_CHECKING:
    from collections.abc import Generator

    from shared_testing.exploration.attempts import Attempts, Runs
    from shared_testing.exploration.cancelling import Point
    from shared_testing.exploration.schedule import Schedule

_MOST_IN_ORDER = 200
"""So many runs look for fewer deviations than the seeded mix needed."""


class Failing:
    """A schedule that failed.

    `turn`: the seed and the number by which the seeded mix met it.
    `is_shortest`: it was met in order, with the fewest deviations already.
    """

    def __init__(
        self,
        attempts: Attempts,
        schedule: Schedule,
        *,
        turn: tuple[int, int] | None = None,
        is_shortest: bool = False,
    ) -> None:
        self._attempts = attempts
        self._schedule = schedule
        self._point: Point | None = point_of(schedule)
        self._turn = turn
        self._is_shortest = is_shortest
        self._signature = _signature(schedule.error)

    def told(self) -> Runs:
        """Run it once more, as short as it gets, and put it into the result."""
        attempts = self._attempts
        best = dict(self._schedule.deviations)
        if not self._is_shortest:
            best = yield from self._shrunk()
            best = yield from self._fewer(best)
        final = attempts.made(Fixed(best), self._point, record=True)
        with holders_known():
            yield from attempts.run(final)
        if attempts.fails(final):
            self._tell(final)
        else:
            attempts.tell_uncontrolled("the failure did not come again when its schedule was run once more")
            yield from attempts.first_difference()
            self._tell(self._schedule)

    def _shrunk(self) -> Generator[Schedule, None, dict[int, int]]:
        attempts = shrink(self._schedule.deviations)
        came_to: dict[int, int] | None = None
        try:
            attempt = next(attempts)
            while True:
                tried = yield from self._tried(attempt)
                came_to = tried.deviations if self._is_same(tried) else None
                attempt = attempts.send(came_to)
        except StopIteration as end:
            shrunk: dict[int, int] = end.value
            return shrunk

    def _fewer(self, best: dict[int, int]) -> Generator[Schedule, None, dict[int, int]]:
        """Leaving out leads to a schedule of which nothing can be left out; another one may still be shorter."""
        if len(best) <= 1 + (self._attempts.result.complete or 0):
            return best
        runs = 0
        level = [(yield from self._tried({}))]
        for _ in range(1, len(best)):
            following = []
            for parent in level:
                for deviations in one_more(parent):
                    if runs == _MOST_IN_ORDER:
                        return best
                    tried = yield from self._tried(deviations)
                    if self._is_same(tried):
                        return tried.deviations
                    following.append(tried)
                    runs += 1
            level = following
        return best

    def _tried(self, deviations: dict[int, int]) -> Generator[Schedule, None, Schedule]:
        tried = self._attempts.made(Fixed(deviations), self._point)
        yield from self._attempts.run(tried)
        return tried

    def _is_same(self, tried: Schedule) -> bool:
        return self._attempts.fails(tried) and _signature(tried.error) == self._signature

    def _tell(self, failing: Schedule) -> None:
        result = self._attempts.result
        result.failure, result.deviations, result.complete = failing.error, len(failing.deviations), None
        self._attempts.tell_cancelled(failing)
        if failing.recorder is not None:
            result.timeline = failing.recorder.timeline
        check = check_of(failing.prints, failing.deviations)
        token = self._attempts.token(Token(failing.nexts, failing.others, cancel=self._point, check=check))
        if len(token) > LONGEST and self._turn is not None:
            token = self._attempts.token(Token(cancel=self._point, run=self._turn))
        result.token = token


def _signature(error: BaseException | None) -> Any:
    """What makes two failures the same: the kind of error, and the function that raised it."""
    if error is None or isinstance(error, ProvedStuck):
        return type(error)
    traceback, code = error.__traceback__, None
    while traceback is not None:
        code, traceback = traceback.tb_frame.f_code, traceback.tb_next
    return type(error), code and (code.co_filename, code.co_qualname)
