"""Sessions, connections, sockets and servers that nobody closes."""

from __future__ import annotations

import asyncio
import gc
import os
import socket

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shared_testing.http import Network


async def hello(_: web.Request) -> web.Response:
    return web.json_response({"id": 1})


def make_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello)
    return app


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()


class Client:
    async def connect(self) -> None:
        self.session = aiohttp.ClientSession()  # !! AT302

    async def fetch(self, url: object) -> object:
        async with self.session.get(str(url)) as response:
            return await response.json()


class Echo:
    async def start(self) -> int:
        self.server = await asyncio.start_server(echo, "127.0.0.1", 0)  # !! AT302
        return int(self.server.sockets[0].getsockname()[1])


@pytest_asyncio.fixture
async def port() -> object:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_session_that_was_used() -> None:
    async with TestServer(make_app()) as server:
        client = Client()
        await client.connect()
        assert await client.fetch(server.make_url("/")) == {"id": 1}


async def test_a_session_that_was_lost_in_the_middle() -> None:
    async def fetch(url: object) -> object:
        session = aiohttp.ClientSession()  # !! AT302
        async with session.get(str(url)) as response:
            return await response.json()

    async with TestServer(make_app()) as server:
        assert await fetch(server.make_url("/")) == {"id": 1}
        gc.collect()


def test_a_session_in_a_loop_of_its_own() -> None:
    async def main() -> None:
        aiohttp.ClientSession()  # !! AT302

    asyncio.run(main())


async def test_a_connector_without_its_session() -> None:
    connector = aiohttp.TCPConnector()  # !! AT302
    async with aiohttp.ClientSession(connector=connector, connector_owner=False):
        pass


async def test_a_test_client() -> None:
    client = TestClient(TestServer(make_app()))  # !! AT302
    await client.start_server()
    assert (await client.get("/")).status == 200


async def test_a_site_without_cleanup() -> None:
    runner = web.AppRunner(make_app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()  # !! AT302


async def test_a_server() -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await Echo().start())
    writer.write(b"hi\n")
    assert await reader.readline() == b"hi\n"
    writer.close()
    await writer.wait_closed()


async def test_a_unix_server(tmp_path: object) -> None:
    await asyncio.start_unix_server(echo, os.path.relpath(f"{tmp_path}/s"))  # !! AT302


async def test_a_server_that_does_not_serve_yet() -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, start_serving=False)  # !! AT302


async def test_a_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)  # !! AT302
    writer.write(b"hi\n")
    assert await reader.readline() == b"hi\n"


async def test_a_connection_that_is_lost(port: int) -> None:
    await asyncio.open_connection("127.0.0.1", port)  # !! AT302
    await asyncio.sleep(0)


async def test_a_handler_that_does_not_close() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # !! AT302
        writer.write(await reader.readline())

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hi\n")
    assert await reader.readline() == b"hi\n"
    writer.close()
    await writer.wait_closed()
    server.close()


async def test_a_datagram_endpoint() -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))  # !! AT302


@pytest.fixture
def pipe() -> object:
    read, write = os.pipe()
    yield read
    os.close(write)


async def test_a_pipe(pipe: int) -> None:
    file = os.fdopen(pipe, "rb")
    await asyncio.get_running_loop().connect_read_pipe(asyncio.Protocol, file)  # !! AT302


async def test_a_socket() -> None:
    ours, theirs = socket.socketpair()  # !! AT302
    ours.close()


def test_a_socket_in_a_sync_test() -> None:
    socket.socket().bind(("127.0.0.1", 0))  # !! AT302


async def test_sockets_that_are_closed_are_fine() -> None:
    with socket.socket() as one, socket.create_server(("127.0.0.1", 0)) as two:
        one.connect(two.getsockname())
        accepted, _ = two.accept()
        accepted.close()
    os.close(socket.socket().detach())


async def test_a_socket_that_a_connection_takes_is_fine(port: int) -> None:
    sock = socket.create_connection(("127.0.0.1", port))
    _, writer = await asyncio.open_connection(sock=sock)
    writer.close()


async def test_all_closed_is_fine(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    async with aiohttp.ClientSession(), TestClient(TestServer(make_app())) as client:
        assert (await client.get("/")).status == 200


async def test_aborted_is_fine(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.transport.abort()


@pytest_asyncio.fixture
async def client() -> object:
    client = Client()
    client.session = aiohttp.ClientSession()
    yield client
    await client.session.close()


async def test_closed_by_its_fixture_is_fine(client: Client) -> None:
    assert not client.session.closed


@pytest.fixture
def opened() -> object:
    sockets: list[socket.socket] = []
    yield sockets
    for each in sockets:
        each.close()


async def test_closed_by_a_sync_fixture_is_fine(opened: list[socket.socket]) -> None:
    opened.append(socket.socket())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide_port() -> object:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_wider_fixture_opened_is_fine(wide_port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wide_port)
    writer.write(b"hi\n")
    assert await reader.readline() == b"hi\n"
    writer.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_on_a_wider_loop(wide_port: int) -> None:
    await asyncio.open_connection("127.0.0.1", wide_port)  # !! AT302


async def test_closed_by_a_task_that_ends_is_fine() -> None:
    async def work() -> None:
        async with aiohttp.ClientSession():
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(work())


async def test_a_leaked_task_is_the_only_cause() -> None:
    async def work() -> None:
        async with aiohttp.ClientSession():
            await asyncio.sleep(3600)

    asyncio.get_running_loop().task = asyncio.create_task(work())  # type: ignore[attr-defined] # !! AT301
    await asyncio.sleep(0)


async def test_a_warning_that_the_test_waits_for_is_fine(port: int) -> None:
    session, _ = aiohttp.ClientSession(), socket.socket()
    with pytest.warns(ResourceWarning, match="client session"):
        del session
    with pytest.warns(ResourceWarning, match="socket"):
        del _
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    with pytest.warns(ResourceWarning, match="StreamWriter|transport"):
        del _, writer
        gc.collect()


def test_innocent() -> None:
    gc.collect()


async def test_a_connector_of_ones_own_that_was_used_is_fine(users: object) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, session.get(users.url + "/users/1") as response:
        await response.read()


# ------------------------------------------------------------ the same on the network in memory, and nothing of its own


async def stuck(_: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


async def chat(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(heartbeat=10)
    await socket.prepare(request)
    async for _ in socket:
        pass
    return socket


@pytest_asyncio.fixture
async def api() -> object:
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/stuck", stuck)
    app.router.add_get("/chat", chat)
    async with Network() as network:
        yield network.serve("https://api.example.com", app)


async def test_in_memory_a_session_that_was_used(api: object) -> None:
    client = Client()
    await client.connect()
    assert await client.fetch("https://api.example.com/") == {"id": 1}


async def test_in_memory_a_session_that_was_lost_in_the_middle(api: object) -> None:
    async def fetch() -> object:
        session = aiohttp.ClientSession()  # !! AT302
        async with session.get("https://api.example.com/") as response:
            return await response.json()

    await fetch()
    gc.collect()


async def test_in_memory_a_connector_without_its_session(api: object) -> None:
    connector = aiohttp.TCPConnector()  # !! AT302
    async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
        async with session.get(api.url) as response:
            await response.read()


async def test_in_memory_a_request_that_is_still_running(api: object) -> None:
    async def ask() -> None:
        async with aiohttp.ClientSession(api.url) as session:
            await session.get("/stuck")  # !! AT701

    # Its server ends before the test does.
    asyncio.get_running_loop().task = asyncio.create_task(ask())
    await asyncio.sleep(0)


async def test_in_memory_all_closed_is_fine(api: object) -> None:
    async with aiohttp.ClientSession(api.url) as session, session.get("/") as response:
        assert await response.json() == {"id": 1}


async def test_in_memory_a_response_that_is_not_read_is_fine(api: object) -> None:
    async with aiohttp.ClientSession(api.url) as session:
        await session.get("/")


async def test_in_memory_a_handler_that_still_runs_is_fine(api: object) -> None:
    async with aiohttp.ClientSession(api.url, timeout=aiohttp.ClientTimeout(total=0.01)) as session:
        with pytest.raises(TimeoutError):
            await session.get("/stuck")


async def test_in_memory_a_websocket_is_fine(api: object) -> None:
    async with aiohttp.ClientSession(api.url) as session, session.ws_connect("/chat", heartbeat=10) as socket:
        await socket.send_str("hello")


async def test_in_memory_a_fault_is_fine(api: object) -> None:
    api.fault("stall").fault("reset_mid_body")
    async with aiohttp.ClientSession(api.url, timeout=aiohttp.ClientTimeout(total=0.01)) as session:
        with pytest.raises(TimeoutError):
            await session.get("/")
        async with session.get("/") as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
