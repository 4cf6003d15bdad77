"""Requests to hosts that the test does not serve, and faults that nobody meets."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from shared_testing.http import Network


async def hello(_: web.Request) -> web.Response:
    return web.json_response({"id": 1})


@pytest_asyncio.fixture
async def api() -> object:
    app = web.Application()
    app.router.add_get("/", hello)
    async with Network() as network:
        yield network.serve("https://api.example.com", app)


async def fetch(url: str) -> object:
    async with aiohttp.ClientSession() as session, session.get(url) as response:  # !! AT602
        return await response.json()


async def fetch_or_none(url: str) -> object:
    for _ in range(3):
        with contextlib.suppress(Exception):
            async with aiohttp.ClientSession() as session, session.get(url) as response:  # !! AT602
                return await response.json()
    return None


async def test_a_typing_error(api: object) -> None:
    await fetch("https://api.exmaple.com")


async def test_a_typing_error_that_is_taken_for_an_outage(api: object) -> None:
    assert await fetch_or_none("https://api.exmaple.com") is None


async def test_a_fault_that_nobody_meets(api: object) -> None:
    api.fault("stall", path="/users/2")  # !! AT602
    assert await fetch_or_none(api.url) == {"id": 1}


async def test_a_fault_that_is_met_less_often(api: object) -> None:
    api.fault("refused", times=3)  # !! AT602
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetch(api.url)


async def test_a_fault_that_is_met_is_fine(api: object) -> None:
    api.fault("server_error").fault("latency", times=None, seconds=0)
    async with aiohttp.ClientSession(api.url) as session:
        for status in (500, 200, 200):
            async with session.get("/") as response:
                assert response.status == status


async def test_a_fault_for_ever_that_is_met_is_fine(api: object) -> None:
    api.fault("malformed_json", times=None)
    with pytest.raises(ValueError):
        await fetch(api.url)


async def test_a_served_host_that_nobody_asks_is_fine(api: object) -> None:
    await asyncio.sleep(0)


async def test_what_was_dropped_is_fine(api: object) -> None:
    api.fault("stall")
    api.forget_faults()
