"""The pool, the limits, timeouts and cancellation: the same in memory as over TCP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import ClientTimeout, web

if TYPE_CHECKING:
    from conftest import Stage

    from shared_testing import VirtualClock


class Slow:
    """Answers after `seconds`, and counts."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls = self.running = self.peak = self.cancelled = 0
        self.peers: set[Any] = set()
        self.arrived = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.calls += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        self.peers.add(request.get_extra_info("peername"))
        self.arrived.set()
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return web.json_response({"id": 1})


async def ask(session: aiohttp.ClientSession, path: str = "/") -> Any:
    async with session.get(path) as response:
        return await response.json()


async def test_a_connection_is_used_again(stage: Stage) -> None:
    """Three requests, one connection."""
    served = await stage.serve((slow := Slow()).answer)
    async with aiohttp.ClientSession(served.url) as session:
        for _ in range(3):
            await ask(session)
    assert (slow.calls, len(slow.peers)) == (3, 1)


@pytest.mark.parametrize("by", ["server", "client", "header"])
async def test_a_connection_is_not_used_again(stage: Stage, by: str) -> None:
    """When either side says so."""
    slow = Slow()

    async def handle(request: web.Request) -> web.Response:
        response = await slow.answer(request)
        if by == "server":
            response.force_close()
        return response

    served = await stage.serve(handle)
    connector = aiohttp.TCPConnector(force_close=by == "client")
    headers = {"Connection": "close"} if by == "header" else {}
    async with aiohttp.ClientSession(served.url, connector=connector, headers=headers) as session:
        for _ in range(3):
            await ask(session)
    assert len(slow.peers) == 3


@pytest.mark.skipif(
    tuple(map(int, aiohttp.__version__.split(".")[:3])) < (3, 11, 11),
    reason="its server asks `now <= close_time`, which on a virtual clock stays true at that very moment",
)
async def test_a_server_closes_an_idle_connection(stage: Stage, virtual_clock: VirtualClock) -> None:
    """After its keepalive_timeout; the client makes a new one, and nobody notices."""
    served = await stage.serve((slow := Slow()).answer, keepalive_timeout=5)
    async with aiohttp.ClientSession(served.url, connector=aiohttp.TCPConnector(keepalive_timeout=60)) as session:
        await ask(session)
        await virtual_clock.advance(10)
        await ask(session)
    assert len(slow.peers) == 2


@pytest.mark.parametrize("options", [{"limit": 2}, {"limit_per_host": 2}], ids=str)
async def test_the_limit_of_a_connector_holds(
    stage: Stage, virtual_clock: VirtualClock, options: dict[str, Any]
) -> None:
    """Six requests of a second each, two at a time."""
    served = await stage.serve((slow := Slow(1)).answer)
    async with aiohttp.ClientSession(served.url, connector=aiohttp.TCPConnector(**options)) as session:
        await asyncio.gather(*(ask(session) for _ in range(6)))
    assert slow.peak == 2
    assert virtual_clock.now == pytest.approx(3)


@pytest.mark.virtual_time
async def test_waiting_for_a_connection_times_out(stage: Stage) -> None:
    """ClientTimeout.connect counts the time in the pool."""
    served = await stage.serve((slow := Slow(60)).answer)
    timeout = ClientTimeout(connect=1)
    async with aiohttp.ClientSession(served.url, connector=aiohttp.TCPConnector(limit=1), timeout=timeout) as session:
        first = asyncio.ensure_future(ask(session))
        await slow.arrived.wait()
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await ask(session)
        first.cancel()


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        (ClientTimeout(total=5), TimeoutError),
        (ClientTimeout(sock_read=5), aiohttp.SocketTimeoutError),
    ],
    ids=["total", "sock_read"],
)
async def test_a_slow_answer_times_out(
    stage: Stage, virtual_clock: VirtualClock, timeout: ClientTimeout, error: type[Exception]
) -> None:
    """At its moment, with aiohttp's own error, and the session can be used again."""
    served = await stage.serve((slow := Slow(60)).answer)
    async with aiohttp.ClientSession(served.url, timeout=timeout) as session:
        with pytest.raises(TimeoutError) as caught:
            await ask(session)
        assert type(caught.value) is error
        assert virtual_clock.now == pytest.approx(5, abs=0.01)
        slow.seconds = 0
        assert await ask(session) == {"id": 1}


async def test_an_answer_in_time_is_no_timeout(stage: Stage, virtual_clock: VirtualClock) -> None:
    """What takes 4 seconds passes a limit of 5."""
    served = await stage.serve(Slow(4).answer)
    async with aiohttp.ClientSession(served.url, timeout=ClientTimeout(total=5)) as session:
        assert await ask(session) == {"id": 1}
    assert virtual_clock.now == pytest.approx(4)


@pytest.mark.parametrize("cancels", [True, False])
async def test_cancelling_a_request_closes_its_connection(stage: Stage, cancels: bool) -> None:
    """The server's handler is cancelled, if the server wants that; else it goes on."""
    served = await stage.serve((slow := Slow(3600)).answer, handler_cancellation=cancels)
    async with aiohttp.ClientSession(served.url) as session:
        task = asyncio.ensure_future(ask(session))
        await slow.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.seconds = 0
        assert await ask(session) == {"id": 1}
    assert (slow.cancelled, len(slow.peers)) == (int(cancels), 2)


@pytest.mark.parametrize("turns", range(8))
async def test_cancelled_at_any_moment(stage: Stage, turns: int) -> None:
    """While connecting, too: nothing is left, and the only permit of the pool is given back."""
    served = await stage.serve(Slow().answer)
    async with aiohttp.ClientSession(served.url, connector=aiohttp.TCPConnector(limit=1)) as session:
        task = asyncio.ensure_future(ask(session))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert await ask(session) == {"id": 1}


@pytest.mark.virtual_time
async def test_an_unread_response_keeps_its_connection(stage: Stage) -> None:
    """Who forgets one starves the others."""

    async def large(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 20_000_000)

    served = await stage.serve(large)
    async with aiohttp.ClientSession(served.url, connector=aiohttp.TCPConnector(limit=1)) as session:
        forgotten = await session.get("/")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await session.get("/")
        forgotten.close()
        async with session.get("/") as response:
            assert response.status == 200


async def test_nobody_listens(stage: Stage) -> None:
    """A ClientConnectorError with the system's error, host and port."""
    served = await stage.serve(Slow().answer)
    served.fault("refused")
    async with aiohttp.ClientSession(served.url) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await ask(session)
    error = caught.value
    assert isinstance(error.os_error, ConnectionRefusedError)
    assert isinstance(error, OSError)
    assert error.errno == error.os_error.errno
    assert f"http://{error.host}:{error.port}" in (served.url, f"{served.url}:80")


async def test_no_such_name(stage: Stage) -> None:
    """A ClientConnectorDNSError."""
    served = await stage.serve(Slow().answer)
    served.fault("dns_failure")
    async with aiohttp.ClientSession(served.url) as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError, match="Name or service not known"):
            await ask(session)


async def test_a_closed_session_refuses(stage: Stage) -> None:
    """It says so, and reaches nobody."""
    served = await stage.serve((slow := Slow()).answer)
    async with aiohttp.ClientSession(served.url) as session:
        await ask(session)
    with pytest.raises(RuntimeError, match="Session is closed"):
        await ask(session)
    assert slow.calls == 1


async def test_closing_a_session_ends_its_requests(stage: Stage) -> None:
    """A request that is under way fails."""
    served = await stage.serve((slow := Slow(3600)).answer)
    session = aiohttp.ClientSession(served.url)
    task = asyncio.ensure_future(session.post("/"))
    await slow.arrived.wait()
    await session.close()
    with pytest.raises(aiohttp.ClientConnectionError):
        await task


async def test_an_idempotent_request_is_sent_again(stage: Stage) -> None:
    """aiohttp does that by itself, when the connection dies before the headers; a POST it does not."""
    served = await stage.serve((slow := Slow()).answer)
    async with aiohttp.ClientSession(served.url) as session:
        await ask(session)
        served.fault("close_before_headers")
        assert await ask(session) == {"id": 1}
        served.fault("close_before_headers")
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post("/")
    assert slow.calls == 2


async def test_a_session_in_each_method(stage: Stage) -> None:
    """As the code of many: a session for one request, its connector the default one."""
    served = await stage.serve((slow := Slow()).answer)
    for _ in range(2):
        async with aiohttp.ClientSession() as session, session.get(f"{served.url}/x") as response:
            assert response.status == 200
    async with aiohttp.request("GET", f"{served.url}/x") as response:
        assert response.status == 200
    assert len(slow.peers) == 3


async def test_where_both_sides_are(stage: Stage) -> None:
    """The transports know each other's addresses."""
    seen: list[Any] = []

    async def note(request: web.Request) -> web.Response:
        seen.append((request.get_extra_info("sockname"), request.get_extra_info("peername")))
        return web.Response(body=b"x" * 1_000_000)

    served = await stage.serve(note)
    async with aiohttp.ClientSession(served.url) as session, session.get("/") as response:
        assert response.connection is not None
        transport = response.connection.transport
        assert transport is not None
        here = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    assert seen == [here[::-1]]
