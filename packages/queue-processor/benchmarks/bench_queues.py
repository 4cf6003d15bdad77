"""Messages a second of one worker on Redis and on SQLite, beside the same by hand and a task library; and its memory.

Prints one JSON object per row. ``--quick`` runs a tenth of the messages, and not the million of the last row. What
needs a server is skipped, and says so, where none is installed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

from queue_processor import MessageQueue, QueueProcessor, RedisQueue, SQLiteQueue
from shared_testing.builders.redis_server import PROGRAMS, RedisServer, find_program

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from queue_processor import Message

QUICK = "--quick" in sys.argv
MESSAGES = 2_000 if QUICK else 20_000
ROUNDS = 2 if QUICK else 5
BATCH = 100
BODY = b'{"number": 12345}'
# The task library has a message put at a time, and handles some 2,000 a second.
LIBRARY_MESSAGES = MESSAGES // 4

# Of what raw commands in batches do; and times what the task library does.
LEAST_OF_RAW = 0.1
LEAST_OF_LIBRARY = 5.0
LEAST_ON_SQLITE = 15_000
# Megabytes that a worker may grow by from its 100,000th message to its millionth.
MOST_GROWTH = 2.0


async def ours(queue: MessageQueue) -> float:
    """Messages a second, from the first read to the last acknowledgement."""
    for _ in range(MESSAGES // 1000):
        await queue.put_many([BODY] * 1000)

    async def handle(_: Message) -> None:
        """Nothing."""

    began = time.perf_counter()
    async with QueueProcessor(handle, queue=queue, consumers=BATCH) as processor:
        while processor.tally.done < MESSAGES:  # noqa: ASYNC110 - nobody else says when all are acknowledged
            await asyncio.sleep(0.001)
        return MESSAGES / (time.perf_counter() - began)


# ---------------------------------------------------------------- Redis


async def ours_on_redis(url: str) -> float:
    async with RedisQueue(url, "ours") as queue:
        return await ours(queue)


async def raw_redis(url: str) -> float:
    """Read a hundred, acknowledge and delete a hundred: no retry, no renewal, no dead letters."""
    async with Redis.from_url(url) as redis:
        await redis.xgroup_create("raw", "group", "0", mkstream=True)
        for _ in range(MESSAGES // 1000):
            adding = redis.pipeline(transaction=False)
            for _ in range(1000):
                adding.xadd("raw", {"body": BODY})
            await adding.execute()
        began, done = time.perf_counter(), 0
        while done < MESSAGES:
            answer: Any = await redis.xreadgroup("group", "worker", {"raw": ">"}, count=BATCH)
            ids = [number for _, entries in answer for number, _ in entries]
            acknowledging = redis.pipeline(transaction=True)
            acknowledging.xack("raw", "group", *ids)
            acknowledging.xdel("raw", *ids)
            await acknowledging.execute()
            done += len(ids)
        return MESSAGES / (time.perf_counter() - began)


async def repid(url: str) -> float:
    """The fastest on Redis of the task libraries that were measured, and not held back by how many it reads at once.

    Its extra `redis` asks for redis-py 7; it works with 8, which the others here have.
    """
    from repid import RedisServer as RepidServer
    from repid import Repid, Router

    app = Repid(title="bench")
    app.servers.register_server("redis", RepidServer(url, batch_size=BATCH), is_default=True)
    router = Router()

    @router.actor(channel="repid")
    async def handle() -> None:
        """Nothing."""

    app.include_router(router)
    async with app.servers.default.connection():
        for _ in range(LIBRARY_MESSAGES):
            await app.send_message_json(channel="repid", payload={}, headers={"topic": "handle"})
        began = time.perf_counter()
        await app.run_worker(messages_limit=LIBRARY_MESSAGES, tasks_limit=BATCH, register_signals=[])
        return LIBRARY_MESSAGES / (time.perf_counter() - began)


# ---------------------------------------------------------------- SQLite


async def ours_on_sqlite(path: str) -> float:
    async with SQLiteQueue(path) as queue:
        return await ours(queue)


async def raw_sqlite(path: str) -> float:
    """Lease a hundred in one transaction, delete a hundred in the next; the same journal and durability."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("CREATE TABLE message (number INTEGER PRIMARY KEY, body BLOB, due REAL)")
        db.execute("BEGIN")
        db.executemany("INSERT INTO message VALUES (?, ?, 0)", ((number, BODY) for number in range(MESSAGES)))
        db.execute("COMMIT")
        began, done = time.perf_counter(), 0
        while done < MESSAGES:
            taken = db.execute(
                "UPDATE message SET due = ? WHERE number IN "
                "(SELECT number FROM message WHERE due = 0 ORDER BY number LIMIT ?) RETURNING number, body",
                (time.time() + 30, BATCH),
            ).fetchall()
            db.execute("BEGIN")
            db.executemany("DELETE FROM message WHERE number = ?", ((number,) for number, _ in taken))
            db.execute("COMMIT")
            done += len(taken)
        return MESSAGES / (time.perf_counter() - began)


# ---------------------------------------------------------------- a million


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def work_on(url: str) -> None:
    """The worker of the last row, in a process of its own: prints its memory after 100,000 messages and a million."""
    count, finished = 0, asyncio.Event()

    async def handle(_: Message) -> None:
        nonlocal count
        count += 1
        if count in (100_000, 1_000_000):
            print(resident_mb(), flush=True)
        if count == 1_000_000:
            finished.set()

    async with RedisQueue(url) as queue, QueueProcessor(handle, queue=queue, consumers=BATCH):
        await finished.wait()


async def million(url: str) -> tuple[list[float], int]:
    """The worker's memory, and how long the streams are afterwards."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--work-on", url, stdout=asyncio.subprocess.PIPE
    )
    async with RedisQueue(url) as queue, Redis.from_url(url) as redis:
        for _ in range(100):
            while (await queue.counts()).waiting > 20_000:  # noqa: ASYNC110 - it is another process's doing
                await asyncio.sleep(0.05)
            for _ in range(10):
                await queue.put_many([BODY] * 1000)
        out, _ = await worker.communicate()
        left = 0
        async for key in redis.scan_iter(_type="stream"):
            # The last entry of the one by which those who wait are woken stays, and holds nothing.
            left += 0 if key.endswith(b":wake") else await redis.xlen(key)
    return [float(line) for line in out.split()], left


# ---------------------------------------------------------------- rows


def alternating(contestants: list[Any], place: Callable[[], str]) -> list[dict[str, float]]:
    """Messages a second of each, round by round: the machine is not equally fast all the time."""
    rounds = []
    for number in range(ROUNDS):
        first = number % len(contestants)
        order = contestants[first:] + contestants[:first]
        rounds.append({each.__name__: measured(each, place()) for each in order})
    return rounds


def measured(contestant: Callable[[str], Awaitable[float]], place: str) -> float:
    async def run() -> float:
        return await contestant(place)

    gc.collect()
    return asyncio.run(run())


def at_least(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": f"{name}, at least {limit:,}", "value": round(value, 2), "limit": limit, "ok": value >= limit}


def at_most(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": f"{name}, at most {limit}", "value": value, "limit": limit, "ok": value <= limit}


def row(work: str, name: str, rounds: list[dict[str, float]], bars: list[dict[str, Any]]) -> dict[str, Any]:
    medians = {each: round(statistics.median(one[each] for one in rounds)) for each in rounds[0]}
    return {
        "work": work,
        "figure": "messages a second",
        "ours": medians.pop(name),
        "others": {each.replace("_", " "): median for each, median in medians.items()},
        "bars": bars,
    }


def ratio(rounds: list[dict[str, float]], one: str, other: str) -> float:
    return statistics.median(each[one] / each[other] for each in rounds)


def sqlite_rows() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        files = iter(Path(folder, f"{number}.db").as_posix() for number in range(1000))
        rounds = alternating([ours_on_sqlite, raw_sqlite], lambda: next(files))
    each_second = statistics.median(each["ours_on_sqlite"] for each in rounds)
    bars = [
        at_least("messages a second", each_second, LEAST_ON_SQLITE),
        at_least("of sqlite3 by hand", ratio(rounds, "ours_on_sqlite", "raw_sqlite"), LEAST_OF_RAW),
    ]
    yield row(f"SQLite, one worker, {MESSAGES:,} no-op messages", "ours_on_sqlite", rounds, bars)


def redis_rows() -> Iterator[dict[str, Any]]:
    with RedisServer() as server:

        def emptied() -> str:
            server.flush()
            return server.url

        rounds = alternating([ours_on_redis, raw_redis, repid], emptied)
        bars = [
            at_least("of raw commands", ratio(rounds, "ours_on_redis", "raw_redis"), LEAST_OF_RAW),
            at_least("times repid", ratio(rounds, "ours_on_redis", "repid"), LEAST_OF_LIBRARY),
        ]
        yield row(f"Redis, one worker, {MESSAGES:,} no-op messages", "ours_on_redis", rounds, bars)
        if not QUICK:
            yield million_row(emptied())


def million_row(url: str) -> dict[str, Any]:
    [early, late], left = asyncio.run(million(url))
    growth = late - early
    bars = [
        at_most("MB grown since then", round(growth, 2), MOST_GROWTH),
        at_most("messages left in the streams", left, 0),
    ]
    return {
        "work": "Redis, one worker, a million messages",
        "figure": "MB resident at the end",
        "ours": round(late, 1),
        "others": {"after 100,000 of them": round(early, 1)},
        "bars": bars,
    }


def rows() -> Iterator[dict[str, Any]]:
    yield from sqlite_rows()
    if find_program() is None:
        print(f"skipped, as none of {', '.join(PROGRAMS)} is installed: all rows on Redis", file=sys.stderr)
    else:
        yield from redis_rows()


if __name__ == "__main__":
    if "--work-on" in sys.argv:
        asyncio.run(work_on(sys.argv[-1]))
    else:
        for each in rows():
            print(json.dumps(each), flush=True)
