"""``explore()``: the search, and a runner for it that needs no test framework."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.joins import JOINS_NOTICED
from shared_testing.exploration.schedule import Schedule
from shared_testing.exploration.search import Search
from shared_testing.exploration.strategies import seeded
from shared_testing.loop.seen_time import SeenTime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from shared_testing.exploration.loop import ExploringLoop
    from shared_testing.exploration.result import Result

# A cleanup may run into the next deadlock. After so many the loop is left as it is.
_MOST_ENDINGS = 3


def explore(
    scenario: Callable[[], Coroutine[Any, Any, Any]],
    *,
    schedules: int = 200,
    seed: int | None = None,
    replay: str | None = None,
    cancel: bool | str = False,
    lateness: float | None = None,
    lasting_yields: bool = False,
) -> Result:
    """Run `scenario` under many schedules, until one fails.

    `scenario` makes a coroutine, afresh for each run, on a loop of its own with virtual time, which is also that of
    ``time.monotonic()``; it fails by raising.
    - `schedules`: how many to run at most.
    - `seed`: only the seeded mix, with this seed. Without it the search is in order, by the number of deviations from
      asyncio's own, and the same each time.
    - `replay`: the token of one schedule, which alone is run.
    - `cancel`: cancel one task at one of its suspensions, each in turn; True for all tasks but the scenario's own, or
      the name of the task. The scenario's own assertions judge.
    - `lateness`: how late the outside world may answer, in virtual seconds, down to milliseconds (0.02).
    - `lasting_yields`: ``sleep(0)`` may last as long as an answer from outside, which asyncio itself never lets happen.

    Raises StaleToken if the token is none or no longer fits the code, and ValueError if there is no task to cancel, or
    for a finer lateness. What the scenario raises is in the result.
    """
    search = Search(
        schedules, seed=seed, replay=replay, cancel=cancel, lateness=lateness, lasting_yields=lasting_yields
    )
    with SeenTime() as seen, JOINS_NOTICED:
        try:
            while (schedule := search.next()) is not None:
                search.ended(_run(scenario, schedule, seen))
        finally:
            search.close()
    return search.result


def new_event_loop(seed: int = 0, *, lateness: float | None = None) -> asyncio.SelectorEventLoop:
    """A loop that follows one schedule of the seeded mix: for a Runner, or the tests of another framework."""
    import random

    from shared_testing.exploration.schedule import LATENESS

    late = LATENESS if lateness is None else lateness
    dice = random.Random(seed)  # noqa: S311 - no secrets
    return Schedule(seeded(dice, seed, (), late), lateness=late).new_event_loop()


def _run(scenario: Callable[[], Coroutine[Any, Any, Any]], schedule: Schedule, seen: SeenTime) -> BaseException | None:
    loop = schedule.new_event_loop()
    seen.follow(loop)
    if schedule.recorder is None:
        # What nobody retrieved would be logged for each schedule: the run that is told does so once.
        loop.set_exception_handler(_say_nothing)
    try:
        loop.run_until_complete(scenario())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is how this schedule ended
        return error
    finally:
        _end(loop)
    return None


def _say_nothing(_: asyncio.AbstractEventLoop, __: dict[str, Any]) -> None:
    pass


def _end(loop: ExploringLoop) -> None:
    """Leave nothing behind, as ``asyncio.run()`` does; what goes wrong in it is no part of the run."""
    try:
        for _ in range(_MOST_ENDINGS):
            left = asyncio.all_tasks(loop)
            if not left and not loop._asyncgens:  # type: ignore[attr-defined]
                break
            loop.follow(Schedule())
            try:
                loop.run_until_complete(_ended(loop, left))
            except Exception:  # noqa: BLE001, S112 - its cleanup hangs or fails under this schedule too
                continue
        if loop._default_executor is not None:
            loop._default_executor.shutdown(wait=False)
    finally:
        loop.close()


async def _ended(loop: ExploringLoop, left: set[asyncio.Task[Any]]) -> None:
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await loop.shutdown_asyncgens()
