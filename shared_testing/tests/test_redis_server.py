"""The real Redis of the tests: empty for each, ended after the last, and able to go wrong."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from shared_testing.builders import redis_server as module
from shared_testing.builders.redis_server import RedisServer, ServerNotStarted, find_program

if TYPE_CHECKING:
    from pathlib import Path

_NEEDED = pytest.mark.skipif(find_program() is None, reason="no redis-server here: apt-get install redis-server")

_INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"

_SUITE = """
    import asyncio
    import socket

    def ask(url, command):
        host, _, port = url.removeprefix("redis://").removesuffix("/0").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(command + b"\\r\\n")
            return connection.recv(100)

    def test_first(redis_url):
        assert ask(redis_url, b"SET a 1") == b"+OK\\r\\n"
        print(f"at {redis_url}")

    async def test_second(redis_url):
        assert await asyncio.to_thread(ask, redis_url, b"GET a") == b"$-1\\r\\n"
        print(f"at {redis_url}")
"""


@_NEEDED
def test_one_server_serves_a_session_and_is_empty_for_each_test(pytester: pytest.Pytester) -> None:
    """It is gone when the session is, and no detector takes it for something that was left behind."""
    pytester.makeini(_INI)
    pytester.makepyfile(_SUITE)
    result = pytester.runpytest_inprocess("-s")
    result.assert_outcomes(passed=2)
    urls = {line.partition("at ")[2] for line in result.outlines if "at redis://127.0.0.1:" in line}
    assert len(urls) == 1
    port = int(urls.pop().rpartition(":")[2].removesuffix("/0"))
    assert not module.RedisServer._answers(_on(port))


def test_without_a_server_a_test_is_skipped_on_a_desk(pytester: pytest.Pytester, nothing_installed: None) -> None:
    """And says what to install."""
    pytester.makeini(_INI)
    pytester.makepyfile("def test_it(redis_url, redis_server): ...")
    result = pytester.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*neither redis-server nor valkey-server is on PATH: apt-get install redis-server"])


def test_without_a_server_a_test_fails_on_a_ci_machine(
    pytester: pytest.Pytester, nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody reads why a test was skipped."""
    monkeypatch.setenv("CI", "true")
    pytester.makeini(_INI)
    pytester.makepyfile("def test_it(redis_url): ...")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*neither redis-server nor valkey-server is on PATH: apt-get install redis-server"])


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


async def test_one_that_is_killed_comes_back_with_what_it_had(redis_server: RedisServer) -> None:
    """On the same port; what it has answered is on its disk."""
    port = redis_server.port
    assert await redis_server.command("SET", "a", "1") == "+OK"
    await redis_server.kill()
    with pytest.raises(ConnectionRefusedError):
        await redis_server.command("PING")
    with pytest.raises(RuntimeError, match="does not run"):
        redis_server.pause()
    await redis_server.restart()
    assert redis_server.port == port
    assert await redis_server.command("STRLEN", "a") == ":1"
    await redis_server.restart()
    assert await redis_server.command("STRLEN", "a") == ":1"


async def test_one_that_is_paused_answers_when_it_goes_on(redis_server: RedisServer) -> None:
    redis_server.pause()
    answer = asyncio.create_task(redis_server.command("PING"))
    done, _ = await asyncio.wait([answer], timeout=0.05)
    assert not done
    redis_server.resume()
    assert await answer == "+PONG"


async def test_one_that_is_left_paused_is_stopped_all_the_same(redis_server: RedisServer) -> None:
    """And its group is not the one that Ctrl-C in a terminal ends."""
    process = redis_server._running()
    assert os.getpgid(process.pid) == process.pid
    redis_server.pause()


@_NEEDED
def test_a_stranger_on_its_port_is_not_taken_for_its_own(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine it answers before the server has even begun, and goes when others are done with it."""
    ports = [module._free_port(), redis_server.port]
    monkeypatch.setattr(module, "_free_port", ports.pop)
    slow = tmp_path / "redis-server"
    slow.write_text(f'#!/bin/sh\nsleep 0.1\nexec {find_program()} "$@"\n')
    slow.chmod(0o755)
    with RedisServer(str(slow)) as server:
        assert server.port != redis_server.port


def test_a_program_that_ends_is_told_of_with_its_words(tmp_path: Path) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho no memory\nexit 1\n")
    program.chmod(0o755)
    with (
        pytest.raises(ServerNotStarted, match=r"does not come up on port \d+:\n(no memory\n)+"),
        RedisServer(f"{program}"),
    ):
        pass


def _on(port: int) -> RedisServer:
    server = RedisServer("none")
    server.port = port
    return server
