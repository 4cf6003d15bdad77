"""Bodies in pieces, of any size, at any speed: the same in memory as over TCP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from conftest import Stage

    from shared_testing import VirtualClock

MEGABYTE = 1_000_000


async def size(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response({"size": len(body), "chunked": "Transfer-Encoding" in request.headers})


async def pieces(count: int, piece: bytes) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield piece


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("length", [0, 1, 65_536, 262_144, 262_145, 5 * MEGABYTE])
async def test_a_body_of_any_size_comes_back(stage: Stage, length: int) -> None:
    """Byte for byte, there and back."""

    async def back(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    application = web.Application(client_max_size=10 * MEGABYTE)
    application.router.add_post("/", back)
    served = await stage.serve(application)
    body = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    async with aiohttp.ClientSession(served.url) as session, session.post("/", data=body) as response:
        assert await response.read() == body


async def test_a_large_answer_comes_whole(stage: Stage) -> None:
    """Twenty megabytes."""
    body = bytes(range(256)) * 80_000

    async def large(request: web.Request) -> web.Response:
        return web.Response(body=body)

    served = await stage.serve(large)
    async with aiohttp.ClientSession(served.url) as session, session.get("/") as response:
        assert await response.read() == body


async def test_a_body_over_the_limit_of_the_server_is_refused(stage: Stage) -> None:
    """413, though the client is still sending."""
    served = await stage.serve(size)
    async with (
        aiohttp.ClientSession(served.url) as session,
        session.post("/", data=pieces(30, b"x" * 65_536)) as response,
    ):
        assert response.status == 413


async def test_an_upload_in_chunks(stage: Stage) -> None:
    """From an asynchronous generator, without its length."""
    served = await stage.serve(size)
    async with aiohttp.ClientSession(served.url) as session, session.post("/", data=pieces(10, b"x" * 100)) as response:
        assert await response.json() == {"size": 1000, "chunked": True}


async def test_an_upload_waits_for_its_reader(stage: Stage) -> None:
    """A server that does not read stops the client after a few megabytes, whatever there is to send."""
    sent = 0
    read_on = asyncio.Event()
    arrived = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(64):
            yield b"x" * MEGABYTE
            sent += 1

    async def lazy(request: web.Request) -> web.Response:
        arrived.set()
        await read_on.wait()
        total = 0
        async for chunk in request.content.iter_any():
            total += len(chunk)
        return web.json_response(total)

    served = await stage.serve(lazy)
    async with aiohttp.ClientSession(served.url) as session:
        asking = asyncio.ensure_future(session.post("/", data=endless()))
        await arrived.wait()
        await still(lambda: sent)
        stopped_at = sent
        read_on.set()
        async with await asking as response:
            assert await response.json() == 64 * MEGABYTE
    assert stopped_at < 32


async def still(value: Any) -> None:
    """Wait until that no longer changes."""
    quiet = 0
    while quiet < 200:
        before = value()
        await asyncio.sleep(0)
        quiet = quiet + 1 if value() == before else 0


async def test_a_download_waits_for_its_reader(stage: Stage) -> None:
    """A client that does not read stops the server; when it reads on, it gets all."""
    written = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(b"x" * MEGABYTE)
            written += 1
        return response

    served = await stage.serve(endless)
    async with aiohttp.ClientSession(served.url) as session, session.get("/") as response:
        await still(lambda: written)
        assert written < 32
        assert len(await response.read()) == 64 * MEGABYTE


async def test_lines_come_as_they_are_sent(stage: Stage, virtual_clock: VirtualClock) -> None:
    """Not at the end: a stream of events is read while it is written."""

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(3):
            await response.write(f"data: {number}\n".encode())
            await asyncio.sleep(1)
        return response

    served = await stage.serve(events)
    async with aiohttp.ClientSession(served.url) as session, session.get("/") as response:
        seen = [(line, round(virtual_clock.now, 1)) async for line in response.content]
    assert seen == [(b"data: 0\n", 0), (b"data: 1\n", 1), (b"data: 2\n", 2)]


async def test_the_chunks_of_the_server_can_be_seen(stage: Stage) -> None:
    """iter_chunks() knows where each ended."""

    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in (b"one", b"two"):
            await response.write(piece)
        return response

    served = await stage.serve(chunked)
    async with aiohttp.ClientSession(served.url) as session, session.get("/") as response:
        assert [chunk async for chunk, _ in response.content.iter_chunks()] == [b"one", b"two"]


async def test_expect_100_continue(stage: Stage) -> None:
    """The body is sent when the server has asked for it."""
    served = await stage.serve(size)
    async with (
        aiohttp.ClientSession(served.url) as session,
        session.post("/", data=b"x" * 9, expect100=True) as response,
    ):
        assert (await response.json())["size"] == 9


async def test_a_form_with_a_file(stage: Stage) -> None:
    """multipart/form-data, parsed by the server."""

    async def upload(request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        return web.json_response({"name": form["name"], "file": file.filename, "size": len(file.file.read())})

    form = aiohttp.FormData({"name": "Alice"})
    form.add_field("file", b"x" * 100_000, filename="a.bin")
    served = await stage.serve(upload)
    async with aiohttp.ClientSession(served.url) as session, session.post("/", data=form) as response:
        assert await response.json() == {"name": "Alice", "file": "a.bin", "size": 100_000}


async def test_a_file_is_served(stage: Stage, tmp_path: Path) -> None:
    """FileResponse, which asks the loop to send the file, and a part of it."""
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(range(256)) * 8000)

    async def download(request: web.Request) -> web.FileResponse:
        return web.FileResponse(file)

    served = await stage.serve(download)
    async with aiohttp.ClientSession(served.url) as session:
        async with session.get("/") as response:
            assert await response.read() == file.read_bytes()
        async with session.get("/", headers={"Range": "bytes=10-19"}) as response:
            assert (response.status, await response.read()) == (206, bytes(range(10, 20)))


async def test_a_compressed_upload(stage: Stage) -> None:
    """The server unpacks it."""
    served = await stage.serve(size)
    options: dict[str, Any] = {"data": b"x" * 10_000, "compress": "gzip"}
    async with aiohttp.ClientSession(served.url) as session, session.post("/", **options) as response:
        assert (await response.json())["size"] == 10_000


async def test_a_server_that_answers_before_it_has_read_everything(stage: Stage) -> None:
    """The answer arrives, and the connection is of no further use."""

    async def impatient(request: web.Request) -> web.Response:
        response = web.json_response({"error": "no"}, status=403)
        response.force_close()
        return response

    served = await stage.serve(impatient, lingering_time=0)
    async with aiohttp.ClientSession(served.url) as session:
        for _ in range(2):
            async with session.post("/", data=b"x" * 100_000) as response:
                assert response.status == 403


async def test_who_leaves_is_missed_by_the_server(stage: Stage) -> None:
    """A client that closes in the middle: the next write at the server fails."""
    errors: list[BaseException] = []
    ended = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 1000)
                await asyncio.sleep(0)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            ended.set()

    served = await stage.serve(endless)
    async with aiohttp.ClientSession(served.url) as session:
        async with session.get("/") as response:
            await response.content.read(10)
        await ended.wait()
    assert isinstance(errors[0], ConnectionResetError)
