"""What a task costs: the queue beside a bare worker pool, the obvious asyncio shape, aiojobs and aiometer.

Prints a JSON object a line. All contestants run in turns, several rounds; figures are medians, ratios are
medians of the ratios within a round, because the machine is never quiet. ``--quick`` runs at a tenth of the size.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from task_queue import AsyncTaskQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Contestant = Callable[[int, Callable[[], Awaitable[None]]], Awaitable[None]]

LIMIT = 10


async def noop() -> None:
    """Never waits."""


async def yielding() -> None:
    await asyncio.sleep(0)


def described(count: int, func: Callable[[], Awaitable[None]]) -> Iterator[Any]:
    return ((str(number), func, (), {}) for number in range(count))


async def stream(count: int, func: Callable[[], Awaitable[None]]) -> None:
    seen = 0
    async for _ in AsyncTaskQueue(LIMIT).stream(described(count, func)):
        seen += 1
    assert seen == count


async def process_all(count: int, func: Callable[[], Awaitable[None]]) -> None:
    assert len(await AsyncTaskQueue(LIMIT).process_all(described(count, func))) == count


async def bare_workers(count: int, func: Callable[[], Awaitable[None]]) -> None:
    tasks = described(count, func)

    async def work() -> None:
        for _, task, args, kwargs in tasks:
            await task(*args, **kwargs)

    await asyncio.gather(*(work() for _ in range(LIMIT)))


async def gather_with_semaphore(count: int, func: Callable[[], Awaitable[None]]) -> None:
    """The shape that everybody writes first: a coroutine for each task, at once, behind a semaphore."""

    @dataclass
    class Record:
        name: Any
        value: Any
        error: Exception | None
        begin: datetime
        end: datetime
        seconds: float

    tasks = list(described(count, func))

    class Shape:
        def __init__(self) -> None:
            self.records: list[Record] = []

        async def single(self, name: Any, task: Any, *args: Any, **kwargs: Any) -> Record:
            begin = datetime.now()  # noqa: DTZ005 - that is part of the shape
            value = error = None
            try:
                value = await task(*args, **kwargs)
            except Exception as raised:  # noqa: BLE001 - that, too
                error = raised
            end = datetime.now()  # noqa: DTZ005
            seconds = (end - begin).total_seconds()
            record = Record(name=name, value=value, error=error, begin=begin, end=end, seconds=seconds)
            self.records.append(record)
            return record

        async def every(self) -> list[Record]:
            semaphore = asyncio.Semaphore(LIMIT)

            async def bounded(name: Any, task: Any, *args: Any, **kwargs: Any) -> Record:
                async with semaphore:
                    return await self.single(name, task, *args, **kwargs)

            coroutines = [bounded(name, task, *args, **kwargs) for name, task, args, kwargs in tasks]
            return await asyncio.gather(*coroutines)

    assert len(await Shape().every()) == count


async def with_aiojobs(count: int, func: Callable[[], Awaitable[None]]) -> None:
    import aiojobs

    async with aiojobs.Scheduler(limit=LIMIT, pending_limit=LIMIT) as scheduler:
        for _, task, args, kwargs in described(count, func):
            await scheduler.spawn(task(*args, **kwargs))
        await scheduler.wait_and_close(timeout=None)


async def with_aiometer(count: int, func: Callable[[], Awaitable[None]]) -> None:
    import aiometer

    tasks = [functools.partial(task, *args, **kwargs) for _, task, args, kwargs in described(count, func)]
    async with aiometer.amap(lambda task: task(), tasks, max_at_once=LIMIT) as results:
        async for _ in results:
            pass


def cost(contestant: Contestant, count: int, func: Callable[[], Awaitable[None]]) -> float | None:
    """CPU microseconds per task, or None if the library is not installed."""
    gc.collect()
    begin = time.process_time()
    try:
        asyncio.run(contestant(count, func))  # type: ignore[arg-type]
    except ImportError:
        return None
    return (time.process_time() - begin) / count * 1e6


class Rounds:
    """The contestants' costs, round by round."""

    def __init__(self, count: int, func: Callable[[], Awaitable[None]], rounds: int, *names: Contestant) -> None:
        for contestant in names:  # Imports and caches belong to nobody's figure.
            cost(contestant, count // 20, func)
        self.costs: dict[str, list[float | None]] = {contestant.__name__: [] for contestant in names}
        for _ in range(rounds):
            for contestant in names:
                self.costs[contestant.__name__].append(cost(contestant, count, func))

    def median(self, name: str) -> float | None:
        costs = [figure for figure in self.costs[name] if figure is not None]
        return round(statistics.median(costs), 2) if costs else None

    def ratio(self, name: str, other: str) -> float | None:
        pairs = zip(self.costs[name], self.costs[other], strict=True)
        ratios = [one / two for one, two in pairs if one is not None and two is not None]
        return round(statistics.median(ratios), 3) if ratios else None


def bar(name: str, value: float | None, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "limit": round(limit, 3), "ok": value is not None and value <= limit}


def others(rounds: Rounds, *names: str) -> dict[str, float | str]:
    figures = {name.removeprefix("with_"): rounds.median(name) for name in names}
    return {name: "not installed" if figure is None else figure for name, figure in figures.items()}


def noop_row(count: int) -> dict[str, Any]:
    run = Rounds(count, noop, 5, stream, process_all, gather_with_semaphore, with_aiojobs, with_aiometer, bare_workers)
    bars = [
        bar("<= 3 us", run.median("stream"), 3.0),
        bar("process_all <= 3 us", run.median("process_all"), 3.0),
        bar("of gather + semaphore", run.ratio("stream", "gather_with_semaphore"), 1 / 8),
    ]
    for name, limit in (("aiojobs", 1 / 3), ("aiometer", 1 / 12)):
        if run.median(f"with_{name}") is not None:
            bars.append(bar(f"of {name}", run.ratio("stream", f"with_{name}"), limit))
    return {
        "work": f"task-queue, {count:,} no-op tasks",
        "figure": "CPU us per task",
        "ours": run.median("stream"),
        "others": others(run, "process_all", "gather_with_semaphore", "with_aiojobs", "with_aiometer", "bare_workers"),
        "bars": bars,
    }


def yielding_row(count: int) -> dict[str, Any]:
    run = Rounds(count, yielding, 9, stream, bare_workers, process_all)
    return {
        "work": f"task-queue, {count:,} tasks that yield once",
        "figure": "CPU us per task",
        "ours": run.median("stream"),
        "others": others(run, "process_all", "bare_workers"),
        # process_all is told, but not measured against it: it keeps every result, and the bare workers none.
        "bars": [bar("of bare workers", run.ratio("stream", "bare_workers"), 2.1)],
    }


def peak_growth(count: int) -> float:
    """MB by which the peak memory of this process grows while it streams `count` tasks from a generator."""
    asyncio.run(stream(1000, noop))
    gc.collect()
    # What is in use now, not the peak so far: that may lie in the imports, and would hide a growth below it.
    before = _memory("VmRSS")
    asyncio.run(stream(count, noop))
    return (_memory("VmHWM") - before) / 1024


def _memory(field: str) -> int:
    """KB, from Linux. Not getrusage's ru_maxrss, which a process inherits from the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def memory_row(count: int) -> dict[str, Any]:
    # In a process of its own: here the peak has long been reached.
    command = [sys.executable, __file__, "--peak-growth", str(count)]
    grown = round(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout), 2)
    return {
        "work": f"task-queue, {count:,} tasks from a generator",
        "figure": "MB of peak memory growth",
        "ours": grown,
        "others": {},
        "bars": [bar("< 5 MB", grown, 5.0)],
    }


def rows(*, quick: bool = False) -> Iterator[dict[str, Any]]:
    size = 10_000 if quick else 100_000
    yield noop_row(size)
    yield yielding_row(size)
    yield memory_row(size * 10)


if __name__ == "__main__":
    if "--peak-growth" in sys.argv:
        print(peak_growth(int(sys.argv[-1])))
    else:
        for row in rows(quick="--quick" in sys.argv):
            print(json.dumps(row), flush=True)
