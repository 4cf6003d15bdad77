"""aioresponses itself, as it is imported from its own package."""

from __future__ import annotations

import contextlib

import aiohttp
import pytest
from aioresponses import aioresponses

GONE = aiohttp.ServerDisconnectedError("gone")


async def ask(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url):  # !! AT602
        pass


async def asks_and_gives_up(*urls: str) -> None:
    for url in urls:
        with contextlib.suppress(aiohttp.ClientError):
            await ask(url)


async def test_a_stub_that_nobody_asks_for() -> None:
    with aioresponses() as stubs:
        stubs.get("http://api.test/1", exception=GONE)
        stubs.get("http://api.test/2", exception=GONE)  # !! AT602
        await asks_and_gives_up("http://api.test/1")


async def test_one_that_repeats_and_is_not_asked_for() -> None:
    with aioresponses() as stubs:
        stubs.get("http://api.test/1", exception=GONE, repeat=True)  # !! AT602


async def test_a_request_that_nobody_stubbed() -> None:
    with aioresponses() as stubs:
        stubs.get("http://api.test/1", exception=GONE)
        await asks_and_gives_up("http://api.test/1", "http://api.test/one")


# ---------------------------------------------------------------- fine


async def test_stubs_that_are_used_are_fine() -> None:
    with aioresponses() as stubs:
        stubs.get("http://api.test/1", exception=GONE)
        stubs.get("http://api.test/2", exception=GONE, repeat=True)
        await asks_and_gives_up("http://api.test/1", "http://api.test/2", "http://api.test/2")


async def test_no_stub_where_an_error_is_expected_is_fine() -> None:
    with aioresponses(), pytest.raises(aiohttp.ClientConnectionError):
        await ask("http://api.test/1")


async def test_a_stub_that_is_not_to_match_is_fine() -> None:
    with aioresponses() as stubs:
        stubs.post("http://api.test/1", exception=GONE)
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask("http://api.test/1")


async def test_a_stub_after_an_error_is_fine() -> None:
    with aioresponses() as stubs, pytest.raises(ZeroDivisionError):
        stubs.get("http://api.test/1", exception=GONE, repeat=True)
        await asks_and_gives_up("http://api.test/1")
        raise ZeroDivisionError


async def test_what_is_let_through_is_fine() -> None:
    with aioresponses(passthrough_unmatched=True):
        await asks_and_gives_up("http://127.0.0.1:1/")
