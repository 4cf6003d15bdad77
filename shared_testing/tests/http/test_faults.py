"""Each fault looks to the client in memory as it does over TCP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, get_args

import aiohttp
import pytest
from aiohttp import ClientTimeout, web

from shared_testing.http.fault_plan import CONNECTION_FAULTS
from shared_testing.http.faults import REQUEST_FAULTS, RequestFault

if TYPE_CHECKING:
    from conftest import Stage

    from shared_testing import VirtualClock

USER = {"id": 1, "name": "Alice", "email": "alice@example.com"}
TIMEOUT = ClientTimeout(total=5)

Expected = type[BaseException] | dict[str, Any] | int

EXPECTED: dict[str, Expected] = {
    "answer_lost": aiohttp.ClientOSError,
    "close_before_headers": aiohttp.ServerDisconnectedError,
    "close_mid_body": aiohttp.ClientPayloadError,
    "endless_stream": TimeoutError,
    "garbage": aiohttp.ClientResponseError,
    "html_error_page": 502,
    "latency": USER,
    "malformed_json": ValueError,
    "oversized_header": aiohttp.ClientResponseError,
    "rate_limited": 429,
    "redirect_loop": aiohttp.TooManyRedirects,
    "reset_before_headers": aiohttp.ClientOSError,
    "reset_mid_body": aiohttp.ClientPayloadError,
    "server_error": 500,
    "slow_headers": USER,
    "stall": TimeoutError,
    "stall_mid_body": TimeoutError,
    "trickle": USER,
    "truncated": aiohttp.ClientPayloadError,
}


async def user(request: web.Request) -> web.Response:
    return web.json_response(USER)


async def ask(url: str) -> Any:
    """The user; or the status, if it is an error. By POST, which aiohttp does not send again by itself."""
    async with aiohttp.ClientSession(url, timeout=TIMEOUT) as session, session.post("/users/1") as response:
        return response.status if response.status >= 400 else await response.json()


def test_all_are_named() -> None:
    """The names for the type checker are those of the functions, and each has its line above."""
    assert sorted(REQUEST_FAULTS) == sorted(get_args(RequestFault)) == sorted(EXPECTED)


@pytest.mark.virtual_time
@pytest.mark.parametrize("name", sorted(EXPECTED))
async def test_what_the_client_meets(stage: Stage, name: RequestFault) -> None:
    """The same error, or the same answer; and the next request is well."""
    served = await stage.serve(user)
    served.fault(name, path="/users/1")
    expected = EXPECTED[name]
    if isinstance(expected, type):
        with pytest.raises(expected):
            await ask(served.url)
    else:
        assert await ask(served.url) == expected
    if name != "redirect_loop":
        assert await ask(served.url) == USER


@pytest.mark.virtual_time
async def test_nobody_answers_the_connection(network: Any) -> None:
    """ClientTimeout.sock_connect is for that. Not to be had on loopback."""
    host = network.serve("http://api.test", web.Application()).fault("unreachable")
    async with aiohttp.ClientSession(timeout=ClientTimeout(sock_connect=3)) as session:
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await session.get(host.url)


@pytest.mark.parametrize("name", ["latency", "slow_headers", "trickle"])
async def test_a_fault_takes_its_time(stage: Stage, virtual_clock: VirtualClock, name: RequestFault) -> None:
    """`seconds` in all."""
    served = await stage.serve(user)
    served.fault(name, seconds=3)
    assert await ask(served.url) == USER
    assert virtual_clock.now == pytest.approx(3, abs=0.01)


async def test_an_answer_that_is_lost_was_given(stage: Stage) -> None:
    """The order is booked, and the client does not know: whoever tries again books it twice."""
    booked = 0

    async def book(request: web.Request) -> web.Response:
        nonlocal booked
        booked += 1
        return web.json_response({})

    served = await stage.serve(book)
    served.fault("answer_lost")
    async with aiohttp.ClientSession(served.url) as session:
        with pytest.raises(aiohttp.ClientOSError):
            await session.post("/orders")
    assert booked == 1


async def test_half_a_body_arrives(stage: Stage) -> None:
    """Status and headers are there; the body breaks in its middle."""
    served = await stage.serve(user)
    for name in ("close_mid_body", "reset_mid_body", "truncated"):
        served.fault(name)
        async with aiohttp.ClientSession(served.url) as session, session.get("/") as response:
            assert (response.status, response.content_type) == (200, "application/json")
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()


async def test_faults_come_in_the_order_in_which_they_were_planned(stage: Stage) -> None:
    """As many times as each says; one for a path lets other paths pass."""
    served = await stage.serve(user)
    served.fault("server_error", times=2)
    served.fault("rate_limited", path="/other")
    served.fault("html_error_page")
    assert [await ask(served.url) for _ in range(4)] == [500, 500, 502, USER]
    async with aiohttp.ClientSession(served.url) as session, session.get("/other") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "1")


async def test_for_ever(stage: Stage) -> None:
    """times=None does not end."""
    served = await stage.serve(user)
    served.fault("server_error", times=None)
    assert [await ask(served.url) for _ in range(5)] == [500] * 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "reset_mid_boddy"}, "did you mean 'reset_mid_body'"),
        ({"name": "stall", "times": 0}, "at least once"),
        ({"name": "refused", "path": "/users"}, "not for one path"),
    ],
    ids=["name", "times", "path"],
)
async def test_a_fault_that_cannot_be(network: Any, options: dict[str, Any], told: str) -> None:
    """Is refused where it is written."""
    host = network.serve("http://api.test", web.Application())
    with pytest.raises(ValueError, match=told):
        host.fault(**options)


async def test_an_address_is_not_looked_up(network: Any) -> None:
    """A name server has no part in it."""
    with pytest.raises(ValueError, match="is not looked up"):
        network.serve("http://192.0.2.1", web.Application()).fault("dns_failure")


@pytest.mark.parametrize("name", CONNECTION_FAULTS[:2])
async def test_a_connection_that_is_there_does_not_help(network: Any, name: str) -> None:
    """A server that is gone takes its idle connections along."""
    app = web.Application()
    app.router.add_get("/users/1", user)
    host = network.serve("http://api.test", app)
    async with aiohttp.ClientSession(host.url, connector=aiohttp.TCPConnector(use_dns_cache=False)) as session:
        async with session.get("/users/1") as response:
            assert await response.json() == USER
        host.fault(name)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("/users/1")
        async with session.get("/users/1") as response:
            assert await response.json() == USER


async def test_a_request_that_is_being_answered_goes_on(network: Any, virtual_clock: VirtualClock) -> None:
    """A server that accepts no more connections ends its work first."""
    app = web.Application()
    app.router.add_post("/users/1", user)
    host = network.serve("http://api.test", app).fault("latency", seconds=5)
    async with aiohttp.ClientSession(host.url) as session:
        first = asyncio.ensure_future(session.post("/users/1"))
        await asyncio.sleep(1)
        host.fault("refused")
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post("/users/1")
        assert (await first).status == 200
