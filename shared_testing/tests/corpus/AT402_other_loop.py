"""Tests that wait for what runs on the loop of a module's fixture, which stands still meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Cache:
    def __init__(self) -> None:
        self.data: dict[str, int] = {}
        self.filled = asyncio.Event()

    async def refresh(self) -> None:
        while True:
            await asyncio.sleep(0.005)
            self.data["a"] = 1
            self.filled.set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # !! AT402
async def cache() -> AsyncIterator[Cache]:
    cache = Cache()
    task = asyncio.create_task(cache.refresh())
    yield cache
    task.cancel()


async def look_until(is_there: Callable[[], bool]) -> None:
    while not is_there():
        await asyncio.sleep(0.01)


async def beat() -> None:
    while True:
        await asyncio.sleep(0.01)


async def test_it_polls(cache: Cache) -> None:
    await look_until(lambda: "a" in cache.data)
    assert cache.data == {"a": 1}


async def test_it_waits_beside_a_heartbeat(cache: Cache) -> None:
    heart = asyncio.create_task(beat())
    try:
        await cache.filled.wait()
    finally:
        heart.cancel()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_right_loop_is_fine(cache: Cache) -> None:
    await look_until(lambda: "a" in cache.data)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # !! AT402
async def port() -> AsyncIterator[int]:
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"hi\n")
        return await reader.readline()
    finally:
        writer.close()


async def test_a_server_of_the_modules_loop(port: int) -> None:
    await ask(port)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_server_of_the_same_loop_is_fine(port: int) -> None:
    assert await ask(port) == b"hi\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # !! AT402
async def site() -> AsyncIterator[TestServer]:
    async with TestServer(web.Application()) as server:
        yield server


async def test_a_client_with_a_timeout_of_minutes(site: TestServer) -> None:
    async with aiohttp.ClientSession() as session, session.get(site.make_url("/")):
        pass


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_of_the_same_loop_is_fine(site: TestServer) -> None:
    async with aiohttp.ClientSession() as session, session.get(site.make_url("/")) as response:
        assert response.status == 404
