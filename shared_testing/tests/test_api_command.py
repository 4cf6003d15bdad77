"""``python -m shared_testing.fakes``, as `hatch run api` starts it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import urllib.request

import pytest


async def start(*options: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "shared_testing.fakes", *options]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_told_to_stop(how: signal.Signals) -> None:
    """The first line is the URL; Ctrl-C and SIGTERM end it cleanly."""
    process = await start("--port", "0", "--users", "3")
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    body = await asyncio.to_thread(lambda: urllib.request.urlopen(f"{url}/users?limit=2").read())
    assert json.loads(body)["next"] == 2
    process.send_signal(how)
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in errors


async def test_a_taken_port_is_a_sentence_not_a_traceback() -> None:
    """The message names the port and the way out."""
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        process = await start("--port", str(port))
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().startswith(f"cannot serve on port {port}: ")


async def test_impossible_weather_is_a_usage_error() -> None:
    """Shares that add up to more than everything are refused before anything is served."""
    process = await start("--broken", "2")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"shares of the requests" in errors
