"""What a schedule costs: the exploration beside loops that explore nothing, and what virtual time costs.

Prints a JSON object a line. Two loops explore nothing: that of the virtual clock, and a bare one, which has asyncio's
own heap and queue, no selector and no other duty: no loop in Python can cost much less. Contestants run in turns,
several rounds; ratios are medians of the ratios within a round, because the machine is never quiet. ``--quick`` runs
at a tenth of the size.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import json
import selectors
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from shared_testing import explore
from shared_testing.loop.virtual_clock import VirtualClockLoop
from task_queue import AsyncTaskQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    Scenario = Callable[[], Coroutine[Any, Any, None]]
    Runner = Callable[[Scenario, int], None]


async def nothing() -> None:
    """An empty test."""


async def four_answers() -> None:
    await asyncio.gather(*(asyncio.sleep(0.001 * number) for number in range(1, 5)))


async def three_workers() -> None:
    async def work(number: int) -> None:
        for _ in range(4):
            await asyncio.sleep(0.001 * number)

    await asyncio.gather(*map(work, range(1, 4)))


async def producers_and_consumers() -> None:
    """Two each, and the test."""
    queue: asyncio.Queue[int | None] = asyncio.Queue()
    done = 0

    async def produce() -> None:
        for number in range(4):
            await asyncio.sleep(0.001)
            await queue.put(number)

    async def consume() -> None:
        nonlocal done
        while await queue.get() is not None:
            await asyncio.sleep(0.001)
            done += 1

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await asyncio.gather(produce(), produce())
    for _ in consumers:
        await queue.put(None)
    await asyncio.gather(*consumers)
    assert done == 8


async def task_queue() -> None:
    """The chapter's, with five tasks."""
    results = await AsyncTaskQueue(3).process_all(
        [(f"task {number}", asyncio.sleep, (0.001,), {}) for number in range(5)]
    )
    assert len(results) == 5


async def hour() -> None:
    await asyncio.sleep(3600)


class Bare(asyncio.SelectorEventLoop):
    """Virtual time, and nothing else."""

    _ready: Any
    _scheduled: Any
    _clock_resolution: float

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(NoSelector())

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        pass

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        timers, ready = self._scheduled, self._ready
        if timers and not ready:
            self._now = max(self._now, timers[0]._when)
        while timers and timers[0]._when < self._now + self._clock_resolution:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if not timer._cancelled:
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()


class NoSelector(selectors.BaseSelector):
    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        raise NotImplementedError

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        raise NotImplementedError

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # noqa: ARG002
        return []

    def get_map(self) -> Any:
        return {}


def in_order(scenario: Scenario, runs: int) -> None:
    """As a test does it. What there is no other schedule for is explored anew."""
    left = runs
    while left > 0:
        result = explore(scenario, schedules=min(left, 200))
        assert result.failure is None
        left -= result.schedules


def mixed(scenario: Scenario, runs: int) -> None:
    assert explore(scenario, schedules=runs, seed=0).failure is None


def bare(scenario: Scenario, runs: int) -> None:
    for _ in range(runs):
        _run(scenario, Bare())


def virtual_clock(scenario: Scenario, runs: int) -> None:
    for _ in range(runs):
        _run(scenario, VirtualClockLoop())


def asyncio_run(scenario: Scenario, runs: int) -> None:
    for _ in range(runs):
        asyncio.run(scenario())


def _run(scenario: Scenario, loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_until_complete(scenario())
    finally:
        loop.close()


def cost(runner: Runner, scenario: Scenario, runs: int) -> float:
    """CPU microseconds per run."""
    gc.collect()
    begin = time.process_time()
    runner(scenario, runs)
    return (time.process_time() - begin) / runs * 1e6


class Rounds:
    """The contestants' costs, round by round."""

    def __init__(self, scenario: Scenario, runs: int, *runners: Runner) -> None:
        for runner in runners:  # Imports and caches belong to nobody's figure.
            cost(runner, scenario, 5)
        costs = [{runner.__name__: cost(runner, scenario, runs) for runner in runners} for _ in range(7)]
        self._costs = costs

    def median(self, name: str) -> float:
        return round(statistics.median(costs[name] for costs in self._costs), 1)

    def ratio(self, name: str, other: str) -> float:
        return round(statistics.median(costs[name] / costs[other] for costs in self._costs), 3)


def bar(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "limit": limit, "ok": value <= limit}


def schedule_row(work: str, scenario: Scenario, runs: int) -> dict[str, Any]:
    run = Rounds(scenario, runs, in_order, mixed, bare, virtual_clock)
    return {
        "work": f"exploration, {work}",
        "figure": "CPU us per schedule",
        "ours": run.median("in_order"),
        "others": {name: run.median(name) for name in ("mixed", "bare", "virtual_clock")},
        "bars": [
            bar("of the virtual clock's loop", run.ratio("in_order", "virtual_clock"), 2.0),
            bar("the seeded mix, of it", run.ratio("mixed", "virtual_clock"), 2.0),
            bar("of the bare loop", run.ratio("in_order", "bare"), 2.2),
        ],
    }


def empty_row(runs: int) -> dict[str, Any]:
    run = Rounds(nothing, runs, in_order, bare, asyncio_run)
    return {
        "work": "exploration, an empty run",
        "figure": "CPU us per schedule",
        "ours": run.median("in_order"),
        "others": {name: run.median(name) for name in ("bare", "asyncio_run")},
        "bars": [bar("less than asyncio.run()", run.ratio("in_order", "asyncio_run"), 1.0)],
    }


def task_queue_row() -> dict[str, Any]:
    in_order(task_queue, 5)
    seconds = min(cost(in_order, task_queue, 200) for _ in range(3)) * 200 / 1e6
    return {
        "work": "exploration, 200 schedules of the task queue with 5 tasks",
        "figure": "CPU seconds",
        "ours": round(seconds, 4),
        "others": {},
        "bars": [bar("under 0.5 s", seconds, 0.5)],
    }


def hour_row() -> dict[str, Any]:
    run = Rounds(hour, 20, in_order, virtual_clock)
    figures = {name: run.median(name) / 1000 for name in ("in_order", "virtual_clock")}
    return {
        "work": "virtual time, an hour of sleep",
        "figure": "CPU ms",
        "ours": figures.pop("virtual_clock"),
        "others": {"exploring": figures["in_order"]},
        "bars": [
            bar("under 5 ms", run.median("virtual_clock") / 1000, 5.0),
            bar("exploring", figures["in_order"], 5.0),
        ],
    }


def rows(*, quick: bool = False) -> Iterator[dict[str, Any]]:
    runs = 20 if quick else 200
    yield schedule_row("4 tasks, 1 await each", four_answers, runs)
    yield schedule_row("3 tasks, 4 awaits each", three_workers, runs)
    yield schedule_row("5 tasks, 2 of them producers", producers_and_consumers, runs)
    yield empty_row(runs)
    yield task_queue_row()
    yield hour_row()


if __name__ == "__main__":
    for row in rows(quick="--quick" in sys.argv):
        print(json.dumps(row), flush=True)
