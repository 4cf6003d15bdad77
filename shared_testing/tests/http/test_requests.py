"""What a client sends and what it gets: the same in memory as over TCP."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

if TYPE_CHECKING:
    from conftest import Stage


async def user(request: web.Request) -> web.Response:
    return web.json_response({"id": 1})


async def echo(request: web.Request) -> web.Response:
    """What reached the server."""
    told = {
        "method": request.method,
        "path": request.raw_path,
        "body": (await request.read()).decode(),
        "host": request.host,
        "remote": request.remote,
        "scheme": request.scheme,
        "version": tuple(request.version),
        "headers": {name: value for name, value in request.headers.items() if name not in ("Host", "User-Agent")},
        "agent": "User-Agent" in request.headers,
    }
    return web.json_response(told)


async def told(response: Any) -> Any:
    async with response as answer:
        return await answer.json()


async def test_json_comes_back(stage: Stage) -> None:
    """The least that a client does."""
    served = await stage.serve(user)
    async with aiohttp.ClientSession() as session, session.get(f"{served.url}/users/1") as response:
        assert (response.status, response.reason, await response.json()) == (200, "OK", {"id": 1})
        assert (response.content_type, response.charset, response.content_length) == ("application/json", "utf-8", 9)
        assert list(response.headers) == ["Content-Type", "Content-Length", "Date", "Server"]
        assert response.version == aiohttp.HttpVersion11
        assert str(response.url) == f"{served.url}/users/1"


async def test_the_server_sees_what_was_sent(stage: Stage) -> None:
    """Method, path, headers and the very bytes."""
    served = await stage.serve(echo)
    async with aiohttp.ClientSession(headers={"X-Trace": "7"}) as session:
        seen = await told(session.post(f"{served.url}/users", json={"a": 1}))
    assert seen == {
        "method": "POST",
        "path": "/users",
        "body": '{"a": 1}',
        "host": served.url.removeprefix("http://"),
        "remote": "127.0.0.1",
        "scheme": "http",
        "version": [1, 1],
        "agent": True,
        "headers": {
            "X-Trace": "7",
            "Accept": "*/*",
            "Accept-Encoding": seen["headers"]["Accept-Encoding"],
            "Content-Length": "8",
            "Content-Type": "application/json",
        },
    }


async def test_an_unknown_path_is_an_answer(stage: Stage) -> None:
    """404 of the real router, and 405 with what it allows."""
    app = web.Application()
    app.router.add_get("/users", user)
    served = await stage.serve(app)
    async with aiohttp.ClientSession(served.url) as session:
        async with session.get("/typo") as response:
            assert (response.status, await response.text()) == (404, "404: Not Found")
        async with session.post("/users") as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")


async def test_an_error_in_a_handler_is_500(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """And it is logged at the server."""

    async def broken(request: web.Request) -> web.Response:
        raise ZeroDivisionError("here")

    served = await stage.serve(broken)
    async with aiohttp.ClientSession(served.url) as session, session.get("/") as response:
        assert response.status == 500
    assert "ZeroDivisionError: here" in caplog.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_arrives(stage: Stage, method: str) -> None:
    """HEAD has no body, all others have."""
    served = await stage.serve(echo)
    async with aiohttp.ClientSession(served.url) as session, session.request(method, "/x") as response:
        body = await response.read()
        assert (response.status, bool(body)) == (200, method != "HEAD")


async def test_the_order_of_a_query_is_kept(stage: Stage) -> None:
    """In the response's URL and at the server, percent-encoded."""
    served = await stage.serve(echo)
    query = [("z", "1"), ("a", "ä b")]
    async with aiohttp.ClientSession(served.url) as session, session.get("/u", params=query) as response:
        seen = await response.json()
        assert response.url.raw_query_string == "z=1&a=%C3%A4+b"
    assert seen["path"] == "/u?z=1&a=%C3%A4+b"


@pytest.mark.filterwarnings("ignore:.* deprecated:DeprecationWarning")
async def test_basic_auth_reaches_the_server(stage: Stage) -> None:
    """As a header."""
    served = await stage.serve(echo)
    async with aiohttp.ClientSession(served.url, auth=aiohttp.BasicAuth("u", "p")) as session:
        assert (await told(session.get("/")))["headers"]["Authorization"] == "Basic dTpw"


async def test_cookies_are_kept_and_sent_back(stage: Stage) -> None:
    """What one answer sets, the next request has."""

    async def cookies(request: web.Request) -> web.Response:
        response = web.json_response(dict(request.cookies))
        response.set_cookie("sid", "1")
        return response

    served = await stage.serve(cookies)
    async with aiohttp.ClientSession(served.url) as session:
        assert await told(session.get("/login")) == {}
        assert await told(session.get("/users")) == {"sid": "1"}
        assert len(session.cookie_jar) == 1


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
async def test_a_redirect_of_a_post(stage: Stage, status: int, method: str) -> None:
    """307 and 308 keep method and body, the others do not."""

    async def moved(request: web.Request) -> web.Response:
        if request.path == "/a":
            return web.Response(status=status, headers={"Location": "/b"})
        return await echo(request)

    served = await stage.serve(moved)
    async with aiohttp.ClientSession(served.url) as session, session.post("/a", json={"x": 1}) as response:
        seen = await response.json()
        assert (seen["method"], seen["body"], seen["path"]) == (method, '{"x": 1}' if method == "POST" else "", "/b")
        assert [each.status for each in response.history] == [status]


async def test_a_redirect_to_another_host(stage: Stage) -> None:
    """The credentials are not sent along."""
    other = await stage.serve(echo)

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{other.url}/there")

    served = await stage.serve(moved)
    headers = {"Authorization": "Bearer secret"}
    async with aiohttp.ClientSession(served.url, headers=headers) as session:
        seen = await told(session.get("/here"))
    assert (seen["path"], "Authorization" in seen["headers"]) == ("/there", False)


async def test_a_response_says_when_it_is_no_json(stage: Stage) -> None:
    """HTML with status 200 is a ContentTypeError, an empty 204 too."""

    async def html(request: web.Request) -> web.Response:
        if request.path == "/empty":
            return web.Response(status=204)
        return web.Response(text="<html>oops</html>", content_type="text/html")

    served = await stage.serve(html)
    async with aiohttp.ClientSession(served.url) as session:
        for path in ("/", "/empty"):
            async with session.get(path) as response:
                with pytest.raises(aiohttp.ContentTypeError):
                    await response.json()


async def test_raise_for_status_of_the_session(stage: Stage) -> None:
    """The error has status, message and headers."""

    async def away(request: web.Request) -> web.Response:
        return web.json_response({}, status=503, headers={"Retry-After": "7"})

    served = await stage.serve(away)
    async with aiohttp.ClientSession(served.url, raise_for_status=True) as session:
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            await session.get("/")
    error = caught.value
    assert (error.status, error.message, error.headers and error.headers["Retry-After"]) == (
        503,
        "Service Unavailable",
        "7",
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"json": {"when": dt.datetime(2026, 1, 1)}}, TypeError),  # noqa: DTZ001
        ({"json": {}, "data": b"x"}, ValueError),
        ({"headers": {"X-Id": 5}}, TypeError),
        ({"headers": {"X-Id": "a\r\nX-Injected: b"}}, ValueError),
        ({"params": {"q": None}}, TypeError),
        ({"parms": {"q": 1}}, TypeError),
    ],
    ids=["no-json", "json-and-data", "header-no-str", "header-injection", "param-None", "misspelt"],
)
async def test_a_wrong_request_is_refused(stage: Stage, options: dict[str, Any], error: type[Exception]) -> None:
    """By the client, before it is sent: the connection is given back, and the session goes on."""
    served = await stage.serve(user)
    async with aiohttp.ClientSession(served.url) as session:
        with pytest.raises(error):
            await session.post("/", **options)
        assert await told(session.get("/")) == {"id": 1}


async def test_a_gzipped_body_is_unpacked(stage: Stage) -> None:
    """Whether the application packs it, or aiohttp's server does."""

    async def packed(request: web.Request) -> web.Response:
        if request.path == "/by-hand":
            return web.Response(body=gzip.compress(b'{"id": 1}'), headers={"Content-Encoding": "gzip"})
        response = web.Response(text="x" * 10_000)
        response.enable_compression()
        return response

    served = await stage.serve(packed)
    async with aiohttp.ClientSession(served.url) as session:
        async with session.get("/by-hand") as response:
            assert await response.read() == b'{"id": 1}'
        async with session.get("/by-server") as response:
            assert (await response.text(), "Content-Encoding" in response.headers) == ("x" * 10_000, True)


async def test_client_middlewares_run(stage: Stage) -> None:
    """Each of them, around each request; they can change it."""
    if not hasattr(aiohttp, "ClientHandlerType"):
        pytest.skip("client middlewares came with aiohttp 3.12")
    calls: list[str] = []

    async def mark(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        calls.append("before")
        request.headers["X-Mark"] = "1"
        response: aiohttp.ClientResponse = await handler(request)
        calls.append("after")
        return response

    served = await stage.serve(echo)
    async with aiohttp.ClientSession(served.url, middlewares=(mark,)) as session:
        assert (await told(session.get("/")))["headers"]["X-Mark"] == "1"
    assert calls == ["before", "after"]


def tracer(events: list[str]) -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    for signal in [name for name in dir(config) if name.startswith("on_")]:

        async def note(*_: object, name: str = signal) -> None:
            events.append(name.removeprefix("on_"))

        getattr(config, signal).append(note)
    return config


async def test_every_event_is_traced(stage: Stage) -> None:
    """In the same order: the look-up of the name, the connection, its use again."""
    events: list[str] = []
    served = await stage.serve(user)
    async with aiohttp.ClientSession(served.url, trace_configs=[tracer(events)]) as session:
        await told(session.get("/"))
        await told(session.get("/"))
    received = ["response_chunk_received"]
    assert events == [
        "request_start",
        "connection_create_start",
        "dns_cache_miss",
        "dns_resolvehost_start",
        "dns_resolvehost_end",
        "connection_create_end",
        "request_headers_sent",
        "request_end",
        *received,
        "request_start",
        "connection_reuseconn",
        "request_headers_sent",
        "request_end",
        *received,
    ]


async def test_requests_at_once_interleave(stage: Stage) -> None:
    """Each gives way to the others: what races on a real server races here."""
    served = await stage.serve(user)
    events: list[str] = []
    counter = 0

    async def increase(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal counter
        before = counter
        events.append(f"s{number}")
        await told(session.get("/"))
        events.append(f"e{number}")
        counter = before + 1

    async with aiohttp.ClientSession(served.url) as session:
        await asyncio.gather(*(increase(session, number) for number in range(3)))
    assert events[:3] == ["s0", "s1", "s2"]
    assert sorted(events[3:]) == ["e0", "e1", "e2"]
    assert counter == 1


async def test_the_server_does_not_see_the_context_of_its_client(stage: Stage) -> None:
    """A context variable is no way to send something."""
    from contextvars import ContextVar

    who = ContextVar("who", default="nobody")

    async def ask(request: web.Request) -> web.Response:
        return web.Response(text=who.get())

    served = await stage.serve(ask)
    who.set("the client")
    async with aiohttp.ClientSession(served.url) as session, session.get("/") as response:
        assert await response.text() == "nobody"
