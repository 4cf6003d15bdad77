"""WebSockets: the same in memory as over TCP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from conftest import Stage

    from shared_testing import VirtualClock


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def test_messages_go_there_and_back(stage: Stage) -> None:
    """Text, bytes, JSON, and one of a megabyte."""
    served = await stage.serve(echo)
    async with aiohttp.ClientSession(served.url) as session, session.ws_connect("/ws", max_msg_size=0) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello"
        await socket.send_bytes(b"x" * 1_000_000)
        assert await socket.receive_bytes() == b"x" * 1_000_000
        await socket.send_json({"id": 1})
        assert await socket.receive_json() == {"id": 1}


async def test_the_scheme_ws(stage: Stage) -> None:
    """ws:// is the same host as http://."""
    served = await stage.serve(echo)
    async with aiohttp.ClientSession() as session, session.ws_connect(served.url.replace("http", "ws")) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello"


async def test_the_client_closes(stage: Stage) -> None:
    """With a code, which the server gets."""
    codes: list[int | None] = []
    ended = asyncio.Event()

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = await echo(request)
        codes.append(socket.close_code)
        ended.set()
        return socket

    served = await stage.serve(listen)
    async with aiohttp.ClientSession(served.url) as session:
        socket = await session.ws_connect("/")
        await socket.close(code=4000)
        await ended.wait()
        assert (socket.closed, codes) == (True, [4000])


async def test_the_server_closes(stage: Stage) -> None:
    """The client's loop ends, and it knows why."""

    async def leave(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("bye")
        await socket.close(code=4001, message=b"enough")
        return socket

    served = await stage.serve(leave)
    async with aiohttp.ClientSession(served.url) as session, session.ws_connect("/") as socket:
        assert [message.data async for message in socket] == ["bye"]
        assert socket.close_code == 4001


async def test_the_connection_dies(stage: Stage) -> None:
    """Without a word: the client's next read says so, with code 1006."""

    async def die(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert request.transport is not None
        request.transport.abort()
        return socket

    served = await stage.serve(die)
    async with aiohttp.ClientSession(served.url) as session, session.ws_connect("/") as socket:
        message = await socket.receive()
        assert (message.type, socket.close_code) == (WSMsgType.CLOSED, 1006)


async def test_no_websocket_there(stage: Stage) -> None:
    """An ordinary answer is a failed handshake."""

    async def plain(request: web.Request) -> web.Response:
        return web.Response(text="no", status=403)

    served = await stage.serve(plain)
    async with aiohttp.ClientSession(served.url) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect("/")
    assert caught.value.status == 403


async def test_a_heartbeat_that_nobody_answers(stage: Stage, virtual_clock: VirtualClock) -> None:
    """After one and a half intervals the client gives up."""

    async def deaf(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await asyncio.sleep(3600)
        return socket

    served = await stage.serve(deaf)
    async with aiohttp.ClientSession(served.url) as session, session.ws_connect("/", heartbeat=10) as socket:
        message = await socket.receive()
    assert message.type in (WSMsgType.ERROR, WSMsgType.CLOSED)
    assert virtual_clock.now == pytest.approx(15, abs=1)


async def test_a_heartbeat_that_is_answered(stage: Stage, virtual_clock: VirtualClock) -> None:
    """Keeps the connection for as long as it takes."""
    served = await stage.serve(echo)
    async with aiohttp.ClientSession(served.url) as session, session.ws_connect("/", heartbeat=10) as socket:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await socket.receive()
        await socket.send_str("still here")
        assert await socket.receive_str() == "still here"


async def test_a_receiver_that_does_not_read_stops_the_sender(stage: Stage) -> None:
    """Flow control holds for messages, too."""
    sent = 0

    async def pour(request: web.Request) -> web.WebSocketResponse:
        nonlocal sent
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for _ in range(64):
            await socket.send_bytes(b"x" * 1_000_000)
            sent += 1
        await socket.close()
        return socket

    served = await stage.serve(pour)
    async with aiohttp.ClientSession(served.url) as session, session.ws_connect("/") as socket:
        quiet = 0
        while quiet < 200:
            before = sent
            await asyncio.sleep(0)
            quiet = quiet + 1 if sent == before else 0
        assert sent < 32
        assert len([message async for message in socket]) == 64


async def test_messages_are_compressed(stage: Stage) -> None:
    """permessage-deflate, if both want it."""
    served = await stage.serve(echo)
    async with aiohttp.ClientSession(served.url) as session, session.ws_connect("/", compress=15) as socket:
        assert socket.compress == 15
        await socket.send_str("x" * 10_000)
        assert await socket.receive_str() == "x" * 10_000
