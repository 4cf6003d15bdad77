"""A counter behind real sockets, threads and signals: whoever reads and writes it without a lock loses an update."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import socket
import tempfile
import threading
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from shared_testing.http import Network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import TypeAlias

    Call: TypeAlias = Callable[[str], Awaitable[str]]
    Clients: TypeAlias = AbstractAsyncContextManager[tuple[Call, Call]]


_FOLDER = tempfile.TemporaryDirectory()


class Counter:
    """What the other end keeps."""

    value = 0

    @classmethod
    def answer(cls, asked: str) -> str:
        if asked.startswith("put"):
            cls.value = int(asked.split()[1])
        return str(cls.value)


async def lost_update(clients: Callable[[], Clients], *, mended: bool) -> None:
    """Two visits, so far apart that one is over before the other begins, if the world is in time."""
    Counter.value = 0
    lock = asyncio.Lock()

    async def visit(call: Call, delay: float) -> None:
        await asyncio.sleep(delay)
        async with lock if mended else asyncio.Lock():
            seen = int(await call("get"))
            await call(f"put {seen + 1}")

    async with clients() as (one, other):
        await asyncio.gather(visit(one, 0.001), visit(other, 0.015))
    # What is closed may be so late.
    await asyncio.sleep(0.1)
    assert Counter.value == 2


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(Counter.answer(line.decode()).encode() + b"\n")
    writer.close()


def _over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
    async def call(asked: str) -> str:
        writer.write(asked.encode() + b"\n")
        return (await reader.readline()).decode()

    return call


@asynccontextmanager
async def tcp() -> AsyncIterator[tuple[Call, Call]]:
    """Streams over loopback."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    async with server:
        ends = [await asyncio.open_connection(*server.sockets[0].getsockname()) for _ in range(2)]
        yield _over(*ends[0]), _over(*ends[1])
        for _, writer in ends:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def unix() -> AsyncIterator[tuple[Call, Call]]:
    """Streams over a socket in the file system."""
    path = f"{_FOLDER.name}/socket"
    async with await asyncio.start_unix_server(_serve, path):
        ends = [await asyncio.open_unix_connection(path) for _ in range(2)]
        yield _over(*ends[0]), _over(*ends[1])
        for _, writer in ends:
            writer.close()
            await writer.wait_closed()


class _Server(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        self.transport.sendto(Counter.answer(data.decode()).encode(), addr)


class _Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: asyncio.Queue[str] = asyncio.Queue()

    def datagram_received(self, data: bytes, _: object) -> None:
        self.answers.put_nowait(data.decode())


@asynccontextmanager
async def udp() -> AsyncIterator[tuple[Call, Call]]:
    """Datagrams."""
    loop = asyncio.get_running_loop()
    server, protocol = await loop.create_datagram_endpoint(_Server, local_addr=("127.0.0.1", 0))
    protocol.transport = server
    address = server.get_extra_info("sockname")
    ends = [await loop.create_datagram_endpoint(_Client, remote_addr=address) for _ in range(2)]

    def over(transport: asyncio.DatagramTransport, client: _Client) -> Call:
        async def call(asked: str) -> str:
            transport.sendto(asked.encode())
            return await client.answers.get()

        return call

    yield over(*ends[0]), over(*ends[1])
    for transport in (server, ends[0][0], ends[1][0]):
        transport.close()


@asynccontextmanager
async def socket_pairs() -> AsyncIterator[tuple[Call, Call]]:
    """The loop's own ``sock_recv`` and ``sock_sendall``."""
    loop = asyncio.get_running_loop()
    pairs = [socket.socketpair() for _ in range(2)]

    async def serve(server: socket.socket) -> None:
        while asked := await loop.sock_recv(server, 100):
            await loop.sock_sendall(server, Counter.answer(asked.decode()).encode())

    def over(client: socket.socket) -> Call:
        async def call(asked: str) -> str:
            await loop.sock_sendall(client, asked.encode())
            return (await loop.sock_recv(client, 100)).decode()

        return call

    for end in (end for pair in pairs for end in pair):
        end.setblocking(False)
    async with asyncio.TaskGroup() as group:
        for _, server in pairs:
            group.create_task(serve(server))
        yield over(pairs[0][0]), over(pairs[1][0])
        for client, _ in pairs:
            client.close()
    for _, server in pairs:
        server.close()


@asynccontextmanager
async def own_threads() -> AsyncIterator[tuple[Call, Call]]:
    """Threads of the program's own, which post their answers. One for each client: which of several threads takes what
    is asked, no schedule decides.
    """
    loop = asyncio.get_running_loop()
    queues: list[queue.SimpleQueue[tuple[str, asyncio.Future[str]] | None]] = [queue.SimpleQueue() for _ in range(2)]

    def work(asked: queue.SimpleQueue[tuple[str, asyncio.Future[str]] | None]) -> None:
        while (each := asked.get()) is not None:
            loop.call_soon_threadsafe(each[1].set_result, Counter.answer(each[0]))

    async def call(number: int, text: str) -> str:
        future: asyncio.Future[str] = loop.create_future()
        queues[number].put((text, future))
        return await future

    threads = [threading.Thread(target=work, args=(each,)) for each in queues]
    for each in threads:
        each.start()
    yield partial(call, 0), partial(call, 1)
    for asked in queues:
        asked.put(None)
    for each in threads:
        each.join()


@asynccontextmanager
async def websockets_in_memory() -> AsyncIterator[tuple[Call, Call]]:
    """aiohttp's, over the network of this toolkit."""

    async def serve(request: web.Request) -> web.WebSocketResponse:
        ours = web.WebSocketResponse()
        await ours.prepare(request)
        async for message in ours:
            await ours.send_str(Counter.answer(message.data))
        return ours

    def over(connection: aiohttp.ClientWebSocketResponse) -> Call:
        async def call(asked: str) -> str:
            await connection.send_str(asked)
            return await connection.receive_str()

        return call

    app = web.Application()
    app.add_routes([web.get("/", serve)])
    async with Network() as network, aiohttp.ClientSession() as session:
        network.serve("http://counter.example.com", app)
        ends = [await session.ws_connect("http://counter.example.com/") for _ in range(2)]
        yield over(ends[0]), over(ends[1])
        for each in ends:
            await each.close()


async def reloaded_by_a_signal(*, mended: bool) -> None:
    """A request reads two settings, and a signal changes both in between."""
    settings = {"host": "a", "port": 1}
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: settings.update(host="b", port=2))

    async def request() -> None:
        mine = dict(settings) if mended else settings
        host = mine["host"]
        await asyncio.sleep(0.003)
        assert (host, mine["port"]) in (("a", 1), ("b", 2))

    async def reload() -> None:
        await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.sleep(0.05)

    try:
        await asyncio.gather(request(), reload())
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
