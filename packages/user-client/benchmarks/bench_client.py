"""What the client costs beside a bare shared session, and beside a session for each request.

CPU of this process per request (user + system); the server is a process of its own. The contestants take
turns in many short rounds, and the figure is the median over the rounds: other load on the machine hits all alike.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from user_client import AuthenticatedAPIClient, UserAPIClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Fetch = Callable[[int], Awaitable[Any]]
    Row = dict[str, Any]

IN_FLIGHT = 32
USERS = 1000


def rows(*, quick: bool = False) -> Iterator[Row]:
    requests, rounds = (320, 5) if quick else (320, 45)
    with subprocess.Popen(
        [sys.executable, "-m", "shared_testing.fakes", "--port", "0", "--users", str(USERS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            yield _cpu_row(asyncio.run(_measure(url, requests, rounds)), requests * rounds)
            yield _descriptors_row(url)
        finally:
            server.terminate()


async def _measure(url: str, requests: int, rounds: int) -> list[dict[str, float]]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session,
        AuthenticatedAPIClient(url, max_concurrent=IN_FLIGHT) as client,
    ):
        await client.authenticate("testuser", "testpass")

        async def shared(user_id: int) -> Any:
            async with session.get(f"{url}/users/{user_id}") as response:
                response.raise_for_status()
                return await response.json()

        async def each_its_own(user_id: int) -> Any:
            async with aiohttp.ClientSession() as own, own.get(f"{url}/users/{user_id}") as response:
                response.raise_for_status()
                return await response.json()

        contestants: dict[str, Fetch] = {"ours": client.fetch_user, "shared": shared, "each": each_its_own}
        for fetch in contestants.values():
            await _cpu_per_request(fetch, 2 * IN_FLIGHT)
        found = []
        for number in range(rounds):
            order = list(contestants)
            order = order[number % 3 :] + order[: number % 3]
            found.append({name: await _cpu_per_request(contestants[name], requests) for name in order})
        return found


async def _cpu_per_request(fetch: Fetch, requests: int) -> float:
    """Microseconds, with IN_FLIGHT workers."""
    todo = iter(range(requests))

    async def work() -> None:
        for number in todo:
            await fetch(1 + number % USERS)

    gc.collect()
    start = time.process_time()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return (time.process_time() - start) / requests * 1e6


def _cpu_row(found: list[dict[str, float]], requests: int) -> Row:
    middle = {name: statistics.median(each[name] for each in found) for name in found[0]}
    of_shared = statistics.median(each["ours"] / each["shared"] for each in found)
    of_each = statistics.median(each["ours"] / each["each"] for each in found)
    return {
        "work": f"user-client, {requests:,} GETs, {IN_FLIGHT} in flight, with a token",
        "figure": "CPU us per request",
        "ours": round(middle["ours"], 1),
        "others": {
            "bare shared session": round(middle["shared"], 1),
            "session per request": round(middle["each"], 1),
        },
        "bars": [_bar("of a bare shared session", of_shared, 1.25), _bar("of a session per request", of_each, 0.5)],
    }


def _descriptors_row(url: str) -> Row:
    ids = range(1, 401)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        ours = len(asyncio.run(UserAPIClient(url).fetch_multiple_users(ids)))
        theirs = asyncio.run(_all_at_once(url, ids))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    missing = len(ids) - ours
    return {
        "work": "user-client, 400 ids under `ulimit -n 256`",
        "figure": "users that arrived",
        "ours": ours,
        "others": {"session per request, all at once": theirs},
        "bars": [{"name": "missing", "value": missing, "limit": 0, "ok": missing == 0}],
    }


async def _all_at_once(url: str, ids: range) -> int:
    arrived = 0

    async def fetch(user_id: int) -> None:
        nonlocal arrived
        async with aiohttp.ClientSession() as session, session.get(f"{url}/users/{user_id}") as response:
            await response.json()
            arrived += 1

    await asyncio.gather(*map(fetch, ids), return_exceptions=True)
    return arrived


def _bar(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "limit": limit, "ok": value <= limit}


if __name__ == "__main__":
    for row in rows(quick="--quick" in sys.argv):
        print(json.dumps(row), flush=True)
