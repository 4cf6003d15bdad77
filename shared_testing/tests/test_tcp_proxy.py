"""The TCP proxy: it passes everything on, and each fault is what a client sees of the real one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from shared_testing.builders.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Before = Callable[[str], Awaitable[TcpProxy]]
    Connect = Callable[[TcpProxy], Awaitable["Client"]]

_BOUND = 30


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[str]:
    """The URL of a server that says what it hears."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"echo://user:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, text: bytes) -> bytes:
        self.writer.write(text)
        async with asyncio.timeout(_BOUND):
            return await self.reader.read(len(text))


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Connect]:
    writers: list[asyncio.StreamWriter] = []

    async def make(proxy: TcpProxy) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writers.append(writer)
        return Client(reader, writer)

    yield make
    for writer in writers:
        writer.transport.abort()


async def test_what_is_sent_arrives(echo: str, tcp_proxy: Before, connect: Connect) -> None:
    """By way of a URL that differs in nothing but the port; the end of a connection is passed on."""
    proxy = await tcp_proxy(echo)
    assert proxy.url == f"echo://user:secret@127.0.0.1:{proxy.port}/0"
    assert "secret" not in repr(proxy)
    client = await connect(proxy)
    assert await client.says(b"hello") == b"hello"
    client.writer.write_eof()
    assert await client.reader.read() == b""
    assert proxy.accepted == 1


async def test_a_cut_ends_each_connection_but_no_later_one(echo: str, tcp_proxy: Before, connect: Connect) -> None:
    proxy = await tcp_proxy(echo)
    clients = [await connect(proxy) for _ in range(2)]
    for client in clients:
        assert await client.says(b"a") == b"a"
    proxy.cut()
    for client in clients:
        assert await _end_of(client) == b""
    assert await (await connect(proxy)).says(b"b") == b"b"


async def test_who_is_refused_comes_in_again_when_it_is_healed(echo: str, tcp_proxy: Before, connect: Connect) -> None:
    """At the same port."""
    proxy = await tcp_proxy(echo)
    client = await connect(proxy)
    assert await client.says(b"a") == b"a"
    proxy.refuse()
    assert await _end_of(client) == b""
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy)
    await proxy.heal()
    assert await (await connect(proxy)).says(b"b") == b"b"


async def test_what_is_stalled_arrives_when_it_is_healed(echo: str, tcp_proxy: Before, connect: Connect) -> None:
    """On old connections and new ones, until then nothing does."""
    proxy = await tcp_proxy(echo)
    old = await connect(proxy)
    assert await old.says(b"a") == b"a"
    proxy.stall()
    answers = [asyncio.create_task(client.says(b"b")) for client in (old, await connect(proxy))]
    done, _ = await asyncio.wait(answers, timeout=0.05)
    assert not done
    await proxy.heal()
    assert await asyncio.gather(*answers) == [b"b", b"b"]


async def test_a_server_that_is_not_there_ends_the_connection(tcp_proxy: Before, connect: Connect) -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        url = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = await connect(await tcp_proxy(url))
    assert await _end_of(client) == b""


async def test_a_url_without_a_port_is_refused() -> None:
    with pytest.raises(ValueError, match="a proxy needs a URL with host and port"):
        TcpProxy("redis://localhost")


async def _end_of(client: Client) -> bytes:
    async with asyncio.timeout(_BOUND):
        try:
            return await client.reader.read()
        except ConnectionError:
            return b""
