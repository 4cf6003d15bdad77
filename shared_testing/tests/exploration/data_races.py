"""Bugs that another task's write makes. Each function holds the bug, and its repaired twin with ``mended=True``."""

from __future__ import annotations

import asyncio
from typing import Any


async def lost_update(*, mended: bool) -> None:
    """Read, wait, write back."""
    lock = asyncio.Lock()
    account = {"balance": 0}

    async def deposit(delay: float) -> None:
        await asyncio.sleep(delay)
        async with lock if mended else asyncio.Lock():
            balance = account["balance"]
            await asyncio.sleep(0.002)
            account["balance"] = balance + 1

    await asyncio.gather(deposit(0), deposit(0.005))
    assert account["balance"] == 2


async def check_then_act(*, mended: bool) -> None:
    """Two buyers of the last ticket, which is checked before an await."""
    tickets, sold = 1, 0

    async def buy(delay: float) -> None:
        nonlocal tickets, sold
        await asyncio.sleep(delay)
        if tickets > 0:
            if mended:
                tickets -= 1
            await asyncio.sleep(0.003)
            if not mended:
                tickets -= 1
            sold += 1

    await asyncio.gather(buy(0.001), buy(0.006))
    assert sold == 1


async def double_fetch(*, mended: bool) -> None:
    """A cache that two misses fill."""
    calls = 0
    cache: dict[str, Any] = {}

    async def load() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.004)
        return "value"

    async def get(delay: float) -> str:
        await asyncio.sleep(delay)
        if mended:
            if "key" not in cache:
                cache["key"] = asyncio.ensure_future(load())
            return str(await cache["key"])
        if "key" not in cache:
            cache["key"] = await load()
        return str(cache["key"])

    await asyncio.gather(get(0.001), get(0.008))
    assert calls == 1


async def stale_write(*, mended: bool) -> None:
    """The answer of an older request overwrites that of a newer one."""
    shown = ""
    newest = 0

    async def search(number: int, delay: float) -> None:
        nonlocal shown, newest
        await asyncio.sleep(delay)
        newest = number
        await asyncio.sleep(0.003)
        if not mended or newest == number:
            shown = f"results of {number}"

    await asyncio.gather(search(1, 0), search(2, 0.005))
    await asyncio.sleep(0.1)
    assert not shown or shown == f"results of {newest}"


async def torn_read(*, mended: bool) -> None:
    """Two fields that belong together are written around an await."""
    name, age = "", 0
    seen: list[tuple[str, int]] = []

    async def write() -> None:
        nonlocal name, age
        await asyncio.sleep(0.001)
        name = "Ada"
        if not mended:
            await asyncio.sleep(0.001)
        age = 36

    async def read() -> None:
        await asyncio.sleep(0.006)
        seen.append((name, age))

    await asyncio.gather(write(), read())
    assert seen[0] in (("", 0), ("Ada", 36))


async def changed_while_iterated(*, mended: bool) -> None:
    """A registry loses a member while it is gone through."""
    members = {1: "a", 2: "b", 3: "c"}

    async def broadcast() -> None:
        for _ in list(members) if mended else members:
            await asyncio.sleep(0.001)

    async def leave() -> None:
        await asyncio.sleep(0.009)
        del members[2]

    await asyncio.gather(broadcast(), leave())


async def used_before_ready(*, mended: bool) -> None:
    """A client uses what start() is still setting up."""
    state: dict[str, str] = {}
    ready = asyncio.Event()

    async def start() -> None:
        await asyncio.sleep(0.003)
        state["pool"] = "pool"
        ready.set()

    async def use() -> str:
        await asyncio.sleep(0.008)
        if mended:
            await ready.wait()
        return state["pool"]

    await asyncio.gather(start(), use())


async def used_after_close(*, mended: bool) -> None:
    """close() does not wait for those who are inside."""
    closed, inside = False, 0
    nobody = asyncio.Event()
    nobody.set()

    async def request() -> None:
        nonlocal inside
        inside += 1
        nobody.clear()
        try:
            await asyncio.sleep(0.002)
            assert not closed, "used after close()"
        finally:
            inside -= 1
            if not inside:
                nobody.set()

    async def close() -> None:
        nonlocal closed
        await asyncio.sleep(0.007)
        if mended:
            await nobody.wait()
        closed = True

    await asyncio.gather(request(), close())


async def overdraft(*, mended: bool) -> None:
    """Each of two transfers checks the balance before the other one has taken its part."""
    balance = 100
    lock = asyncio.Lock()

    async def transfer(amount: int, delay: float) -> None:
        nonlocal balance
        await asyncio.sleep(delay)
        async with lock if mended else asyncio.Lock():
            if balance >= amount:
                await asyncio.sleep(0.001)
                balance -= amount

    await asyncio.gather(transfer(80, 0), transfer(80, 0.004))
    assert balance >= 0


async def completion_order(*, mended: bool) -> None:
    """Results in the order of their completion, read as those of the arguments."""
    results: list[int] = []

    async def square(number: int) -> int:
        await asyncio.sleep(0.001 * number)
        return number * number

    async def collect(number: int) -> None:
        results.append(await square(number))

    if mended:
        results += await asyncio.gather(*map(square, range(4)))
    else:
        await asyncio.gather(*map(collect, range(4)))
    assert results == [0, 1, 4, 9]


async def logged_in_twice(*, mended: bool) -> None:
    """Single-flight that only looks at what has come, not at what is under way."""
    logins = 0
    token: str | None = None
    lock = asyncio.Lock()

    async def login() -> None:
        nonlocal logins, token
        async with lock:
            if mended and token is not None:
                return
            await asyncio.sleep(0.002)
            logins += 1
            token = "token"

    async def call(delay: float) -> None:
        await asyncio.sleep(delay)
        if token is None:
            await login()

    await asyncio.gather(call(0.001), call(0.005), call(0.009))
    assert logins == 1
