"""Requests to hosts that the test does not serve, and faults that nobody meets."""

from __future__ import annotations

import asyncio
import contextlib
import re

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from shared_testing import mock_of, on
from shared_testing.builders.responses import aioresponses
from shared_testing.contracts.user_api import GET_USER, LIST_USERS
from shared_testing.fakes.users import FakeUsers
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


# ------------------------------------------------------------ the fake user API


async def test_a_script_that_nobody_meets(users: FakeUsers) -> None:
    users.add("Alice")
    users.on(GET_USER).reply(503, times=2)  # !! AT602
    users.on(LIST_USERS).fault("stall")  # !! AT602
    assert await fetch_or_none(f"{users.url}/users/1") == {"error": "scripted 503"}


async def test_a_path_that_the_api_lacks(users: FakeUsers) -> None:
    async with aiohttp.ClientSession(users.url) as session:
        async with session.get("/user/1") as response:  # !! AT602
            assert response.status == 404
        response = await session.delete("/users/1")  # !! AT602
        response.release()


async def test_a_path_that_the_api_lacks_asked_for_by_many(users: FakeUsers) -> None:
    async with aiohttp.ClientSession(users.url) as session:
        first, second = session.get("/user/1"), session.get("/users")
        for response in await asyncio.gather(first, second):  # !! AT602
            response.release()


async def test_a_script_that_is_met_is_fine(users: FakeUsers) -> None:
    users.on(GET_USER).reply(503, times=None).reply(404)
    await fetch_or_none(f"{users.url}/users/1")
    users.forget_script()
    users.on(GET_USER).reply(404, times=2)
    users.forget_script()


@pytest.mark.xfail(strict=True, reason="it fails before it comes to what it has set up")
async def test_a_script_that_a_failure_has_left_is_fine(users: FakeUsers) -> None:
    users.on(GET_USER).reply(503)
    raise RuntimeError


# ------------------------------------------------------------ aioresponses


async def test_a_stub_that_nobody_asks_for(responses: aioresponses) -> None:
    responses.get("https://api.example.com/users/1", payload={"id": 1})
    responses.get("https://api.example.com/users/2", payload={"id": 2})  # !! AT602
    assert await fetch_or_none("https://api.example.com/users/1") == {"id": 1}


async def test_a_stub_that_is_taken_for_an_outage(responses: aioresponses) -> None:
    assert await fetch_or_none("https://api.example.com/users/1") is None


async def test_a_stub_in_a_block() -> None:
    with aioresponses() as stubs:
        stubs.get(re.compile("https://api.example.com/.*"), repeat=True)  # !! AT602


async def test_stubs_that_are_used_are_fine(responses: aioresponses) -> None:
    responses.get("https://api.example.com/users/1", payload={"id": 1}, repeat=2)
    responses.get(re.compile("https://api.test/.*"), payload={"id": 2}, repeat=True)
    for url in ("https://api.example.com/users/1", "https://api.example.com/users/1", "https://api.test/users/1"):
        assert await fetch_or_none(url)


# ------------------------------------------------------------ stand-ins


class Mailer:
    async def send(self, to: str) -> str:
        return to

    def close(self) -> None: ...


@pytest.fixture
def mailer() -> Mailer:
    mailer = mock_of(Mailer)
    on(mailer.send).returns("by default")
    return mailer


@pytest.fixture(scope="module")
def shared_mailer() -> Mailer:
    return mock_of(Mailer)


async def test_a_stub_that_nobody_calls() -> None:
    mailer = mock_of(Mailer)
    on(mailer.close).returns(None)  # !! AT602
    on(mailer.send).returns("sent")
    assert await mailer.send("alice") == "sent"


async def test_a_stub_that_is_called_less_often() -> None:
    mailer = mock_of(Mailer)
    on(mailer.send).returns("sent", "twice")  # !! AT602
    assert await mailer.send("alice") == "sent"


async def test_a_stub_of_a_stand_in_that_others_share(shared_mailer: Mailer) -> None:
    on(shared_mailer.send).raises(OSError)  # !! AT602


async def test_a_stub_that_a_fixture_has_written_is_fine(mailer: Mailer) -> None:
    mailer.close()


async def test_a_stub_in_the_place_of_another_is_fine(mailer: Mailer) -> None:
    on(mailer.send).returns("first")
    on(mailer.send).does(lambda to: to)
    assert await asyncio.create_task(mailer.send("alice")) == "alice"


@pytest.mark.xfail(strict=True, reason="it fails before it comes to what it has stubbed")
async def test_a_stub_of_a_test_that_failed_is_fine(mailer: Mailer) -> None:
    on(mailer.send).returns("sent")
    raise KeyError
