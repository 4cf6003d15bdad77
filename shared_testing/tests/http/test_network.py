"""Hosts, and what is not one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import TCPConnector, web
from aiohttp.resolver import AsyncResolver, ThreadedResolver
from aiohttp.test_utils import TestClient, TestServer

from shared_testing import settle
from shared_testing.http import Network, UnknownHost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared_testing import FakeUsers, VirtualClock

meant = pytest.mark.allow_finding("AT602", reason="the refusal is what is tested")


def app(answer: str = "here") -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"answer": answer, "scheme": request.scheme, "secure": request.secure})

    application = web.Application()
    application.router.add_get("/", handle)
    return application


async def fetch(url: str, **options: Any) -> Any:
    """As code under test does it: its own session, its production URL."""
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return await response.json()


async def test_each_host_has_its_application(network: Network) -> None:
    """Names, ports and schemes tell them apart, in any spelling."""
    network.serve("https://api.example.com", app("api"))
    network.serve("https://api.example.com:8443", app("other port"))
    network.serve("http://API.example.com/", app("plain"))
    network.serve("wss://bücher.example", app("books"))
    network.serve("http://[::1]:81", app("six"))
    network.serve("http://192.0.2.1", app("address"))
    urls = {
        "https://api.example.com": "api",
        "https://API.EXAMPLE.com.:443/": "api",
        "https://api.example.com:8443": "other port",
        "http://api.example.com": "plain",
        "https://xn--bcher-kva.example": "books",
        "http://[::1]:81": "six",
        "http://192.0.2.1": "address",
    }
    assert {url: (await fetch(url))["answer"] for url in urls} == urls


async def test_tls_is_seen_by_the_application(network: Network) -> None:
    """request.secure and the scheme, though nothing is encrypted; whatever the client says about certificates."""
    network.serve("https://api.example.com", app())
    for ssl in (True, False, aiohttp.Fingerprint(b"x" * 32)):
        assert await fetch("https://api.example.com", ssl=ssl) == {"answer": "here", "scheme": "https", "secure": True}


async def test_a_connector_of_ones_own(network: Network) -> None:
    """With its own resolver, cache and family; also one that is older than the network."""
    host = network.serve("https://api.example.com", app())
    options: list[dict[str, Any]] = [{"use_dns_cache": False}, {"family": 10}, {"ssl": False, "limit": 1}]
    for each in options:
        async with aiohttp.ClientSession(connector=TCPConnector(**each)) as session:
            assert (await session.get(host.url)).status == 200
    assert host.connections == 3


@meant
async def test_an_unknown_host_is_refused_by_name(network: Network) -> None:
    """The error names it, those that are served, the nearest, and what to write. It is no ClientError."""
    network.serve("https://api.example.com", app())
    network.serve("http://auth.example.com", app())
    with pytest.raises(UnknownHost) as caught:
        await fetch("https://api.exmaple.com/users/1?token=secret")
    assert str(caught.value) == (
        "unknown host https://api.exmaple.com\n"
        "GET https://api.exmaple.com/users/1: nothing is served there; did you mean https://api.example.com? "
        "Served are: https://api.example.com, http://auth.example.com\n"
        "write network.serve('https://api.exmaple.com', app), or network.allow('api.exmaple.com') to really go there"
    )
    assert not isinstance(caught.value, (aiohttp.ClientError, OSError))
    assert network.refused == ["GET https://api.exmaple.com/users/1"]


@meant
@pytest.mark.parametrize("url", ["http://api.example.com", "https://api.example.com:444", "https://192.0.2.7"])
async def test_nearly_a_host_is_unknown(network: Network, url: str) -> None:
    """Another scheme, another port, an address."""
    network.serve("https://api.example.com", app())
    with pytest.raises(UnknownHost):
        await fetch(url)


@meant
async def test_a_redirect_to_an_unknown_host_is_refused(network: Network) -> None:
    """Wherever the request comes from."""

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound("https://elsewhere.example")

    application = web.Application()
    application.router.add_get("/", moved)
    network.serve("https://api.example.com", application)
    with pytest.raises(UnknownHost, match=r"elsewhere\.example"):
        await fetch("https://api.example.com")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("api.example.com", "names no host"),
        ("ftp://api.example.com", "names no host"),
        ("https://api.example.com/v1", "has a path"),
    ],
)
async def test_no_url_of_a_host(network: Network, url: str, told: str) -> None:
    """Is refused where it is written."""
    with pytest.raises(ValueError, match=told):
        network.serve(url, app())


async def test_a_test_server_is_reached_as_ever(network: Network) -> None:
    """What this loop itself serves on loopback needs no word."""
    async with TestClient(TestServer(app("over TCP"))) as client, client.get("/") as response:
        assert (await response.json())["answer"] == "over TCP"


async def test_what_is_allowed_is_really_asked(network: Network) -> None:
    """A server of somebody else: here one of another loop."""
    asked = threading.Event()
    port: list[int] = []
    done = threading.Event()

    async def serve() -> None:
        async with TestServer(app("elsewhere")) as server:
            port.append(server.port or 0)
            asked.set()
            while not done.is_set():  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.001)

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        await asyncio.to_thread(asked.wait, 5)
        network.allow("localhost")
        assert (await fetch(f"http://localhost:{port[0]}"))["answer"] == "elsewhere"
    finally:
        done.set()
        await asyncio.to_thread(thread.join, 5)


async def test_networks_can_be_nested(network: Network) -> None:
    """The inner one is asked first, the outer one still knows its hosts."""
    network.serve("https://a.example", app("outer a"))
    network.serve("https://b.example", app("outer b"))
    async with Network() as inner:
        inner.serve("https://a.example", app("inner a"))
        assert [(await fetch(f"https://{name}.example"))["answer"] for name in "ab"] == ["inner a", "outer b"]
    assert (await fetch("https://a.example"))["answer"] == "outer a"


async def test_afterwards_aiohttp_is_as_before() -> None:
    """Exactly, also after an error."""
    owners = (TCPConnector, ThreadedResolver, AsyncResolver)
    before = [dict(vars(owner)) for owner in owners]
    with contextlib.suppress(ZeroDivisionError):
        async with Network() as network:
            network.serve("https://api.example.com", app())
            await fetch("https://api.example.com")
            raise ZeroDivisionError
    assert [dict(vars(owner)) for owner in owners] == before


async def test_an_application_is_started_once_and_cleaned_up() -> None:
    """At its first connection, however many hosts it is served at; not at all when nobody asks."""
    events: list[str] = []

    async def life(application: web.Application) -> AsyncIterator[None]:
        events.append("startup")
        yield
        events.append("cleanup")

    application, unused = app(), app()
    application.cleanup_ctx.append(life)
    unused.cleanup_ctx.append(life)
    async with Network() as network:
        for url in ("https://api.example.com", "http://api.example.com"):
            network.serve(url, application)
        network.serve("https://unused.example.com", unused)
        assert events == []
        await asyncio.gather(fetch("https://api.example.com"), fetch("http://api.example.com"))
        assert events == ["startup"]
    assert events == ["startup", "cleanup"]


async def test_an_error_at_startup_is_not_hidden() -> None:
    """It is a bug of the application, not an outage: whoever connects gets it as it is."""

    async def broken(_: web.Application) -> None:
        raise ZeroDivisionError("at startup")

    application = app()
    application.on_startup.append(broken)
    async with Network() as network:
        network.serve("https://api.example.com", application)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match="at startup"):
                await fetch("https://api.example.com")


@pytest.mark.virtual_time
async def test_the_end_waits_for_no_handler() -> None:
    """One that waits for ever is cancelled."""
    ended: list[str] = []
    arrived = asyncio.Event()

    async def stuck(request: web.Request) -> web.Response:
        arrived.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")
        return web.Response()

    application = web.Application()
    application.router.add_get("/", stuck)
    before = asyncio.get_running_loop().time()
    async with aiohttp.ClientSession() as session:
        async with Network() as network:
            network.serve("https://api.example.com", application)
            task = asyncio.ensure_future(session.get("https://api.example.com"))
            await arrived.wait()
        # aiohttp sends a GET once more, and that is refused.
        with pytest.raises(aiohttp.ClientConnectorError):
            await task
    assert ended == ["cancelled"]
    assert asyncio.get_running_loop().time() - before < 1


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancelled_connection_is_closed_at_the_server_too(network: Network, turns: int) -> None:
    """Whenever it is: no connection stays open that nobody has."""
    host = network.serve("https://api.example.com", app())
    await fetch(host.url)
    async with aiohttp.ClientSession() as session:
        task = asyncio.ensure_future(session.get(host.url))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await settle()
    assert all(transport.is_closing() for transport in host._backend._transports)


async def test_an_hour_passes_at_once(network: Network, virtual_clock: VirtualClock) -> None:
    """No socket is open that virtual time would have to look at."""

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.json_response({})

    application = web.Application()
    application.router.add_get("/", slow)
    network.serve("https://api.example.com", application)
    assert await fetch("https://api.example.com", timeout=aiohttp.ClientTimeout()) == {}
    assert virtual_clock.now == pytest.approx(3600)
    selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    # The loop's own pipe at most.
    assert len(selector.get_map()) <= 1


async def test_settle_waits_for_bytes_on_their_way(network: Network) -> None:
    """After it the request is answered."""
    network.serve("https://api.example.com", app())
    task = asyncio.ensure_future(fetch("https://api.example.com"))
    await settle()
    assert task.done()
    await task


async def test_a_request_from_another_loop_is_told_what_to_do(network: Network) -> None:
    """The application lives in one."""
    network.serve("https://api.example.com", app())
    with pytest.raises(RuntimeError, match="another; enter the network"):
        await asyncio.to_thread(asyncio.run, fetch("https://api.example.com"))


async def test_only_applications_are_served(network: Network) -> None:
    """A handler is none."""
    with pytest.raises(TypeError, match=r"web\.Application"):
        network.serve("https://api.example.com", lambda request: web.Response())  # type: ignore[arg-type]


async def test_the_users_in_memory(network: Network, users: FakeUsers) -> None:
    """The fake user API is an application like any other, with its faults."""
    from shared_testing.contracts.user_api import GET_USER

    users.add("Alice")
    network.serve("https://api.example.com", users.application())
    assert (await fetch("https://api.example.com/users/1"))["name"] == "Alice"
    users.on(GET_USER).fault("reset_before_headers", times=2)
    with pytest.raises(aiohttp.ClientOSError):
        await fetch("https://api.example.com/users/1")


async def test_http_by_a_proxy(network: Network) -> None:
    """The proxy is a host like any other: it gets the whole URL."""

    async def proxy(request: web.Request) -> web.Response:
        return web.json_response({"asked": str(request.url)})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", proxy)
    network.serve("http://proxy.example:3128", application)
    assert await fetch("http://api.example.com/users", proxy="http://proxy.example:3128") == {
        "asked": "http://api.example.com/users"
    }


@pytest.mark.allow_finding("AT602", reason="it is what is tested")
async def test_a_fault_that_nobody_met_is_told(network: Network) -> None:
    """It is a test of something that did not happen."""
    network.serve("https://api.test", web.Application()).fault("stall")
