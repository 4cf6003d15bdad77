"""CPU per item of a QueueProcessor, beside a bare bounded asyncio.Queue that does the same by hand.

Prints one JSON object per row. ``--quick`` runs a tenth of the items.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from queue_processor import QueueProcessor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

ITEMS = 20_000 if "--quick" in sys.argv else 200_000
ROUNDS = 3 if "--quick" in sys.argv else 5
BOUND = 100
LIMIT = 1.5


async def handle(item: int) -> int:
    return item


async def process_all(items: int, consumers: int) -> None:
    results = await QueueProcessor(handle, consumers=consumers, maxsize=BOUND).process_all(range(items))
    assert len(results) == items


async def service(items: int, consumers: int) -> None:
    async with QueueProcessor(handle, consumers=consumers, maxsize=BOUND) as processor:
        for item in range(items):
            await processor.put(item)


async def bare_queue(items: int, consumers: int) -> None:
    """What one would write by hand: results kept, every item marked as done, one end mark per consumer."""
    queue: asyncio.Queue[Any] = asyncio.Queue(BOUND)
    end, results = object(), list[int]()

    async def produce() -> None:
        for item in range(items):
            await queue.put(item)
        for _ in range(consumers):
            await queue.put(end)

    async def consume() -> None:
        while (item := await queue.get()) is not end:
            results.append(await handle(item))
            queue.task_done()
        queue.task_done()

    await asyncio.gather(produce(), *(consume() for _ in range(consumers)))
    assert len(results) == items


async def first_version(items: int, _: int) -> None:
    """The unbounded queue with one end mark, one consumer and one None that this class began as."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    results = []

    async def produce() -> None:
        for item in range(items):
            await queue.put(item)
        await queue.put(None)

    async def consume() -> None:
        while (item := await queue.get()) is not None:
            results.append(await handle(item))
            queue.task_done()

    await asyncio.gather(produce(), consume())


def cpu_us_per_item(contestant: Callable[[int, int], Awaitable[Any]], consumers: int) -> float:
    async def run() -> None:
        await contestant(ITEMS, consumers)

    gc.collect()
    before = time.process_time()
    asyncio.run(run())
    return (time.process_time() - before) / ITEMS * 1e6


def rows() -> Iterator[dict[str, Any]]:
    for consumers in (1, 4, 8):
        contestants = [process_all, service, bare_queue] + [first_version] * (consumers == 1)
        rounds = []
        for number in range(ROUNDS):
            # Interleaved, each round beginning with another: the machine is not equally fast all the time.
            order = contestants[number % len(contestants) :] + contestants[: number % len(contestants)]
            rounds.append({one.__name__: cpu_us_per_item(one, consumers) for one in order})
        median = {one.__name__: statistics.median(r[one.__name__] for r in rounds) for one in contestants}
        bars = []
        for ours in ("process_all", "service"):
            ratio = statistics.median(r[ours] / r["bare_queue"] for r in rounds)
            bar = {"name": f"{ours} of a bare asyncio.Queue", "value": round(ratio, 2), "limit": LIMIT}
            bars.append({**bar, "ok": ratio <= LIMIT})
        yield {
            "work": f"queue-processor, {ITEMS:,} no-op items, {consumers} consumer{'s' * (consumers > 1)}",
            "figure": "CPU us per item",
            "ours": round(median.pop("process_all"), 2),
            "others": {name.replace("_", " "): round(value, 2) for name, value in median.items()},
            "bars": bars,
        }


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row), flush=True)
