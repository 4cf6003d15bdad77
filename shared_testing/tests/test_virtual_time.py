"""Virtual time as a user of pytest meets it: which tests get it, and which clocks agree."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from socket import socketpair
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, ClientTimeout, web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import VirtualClock

_MODES = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider")


class Token:
    """As much code does it: it expires by time.monotonic()."""

    def __init__(self) -> None:
        self.expires = time.monotonic() + 60

    def is_valid(self) -> bool:
        return time.monotonic() < self.expires


@pytest.fixture
def token() -> Token:
    """Made outside of the loop."""
    return Token()


@pytest.mark.virtual_time
async def test_monotonic_and_the_loop_agree(token: Token) -> None:
    """What expires by the one clock does so when the other has come there, whoever has looked first."""
    loop = asyncio.get_running_loop()
    assert time.monotonic() == loop.time()
    assert time.monotonic_ns() == round(loop.time() * 1e9)
    await asyncio.sleep(59)
    assert token.is_valid()
    await asyncio.sleep(1)
    assert not token.is_valid()
    assert time.monotonic() == loop.time()


@pytest.mark.explore(schedules=20)
async def test_monotonic_and_the_loop_agree_under_exploration(token: Token, virtual_clock: VirtualClock) -> None:
    """Each schedule begins at the same moment."""
    assert virtual_clock.now == 0
    assert time.monotonic() == asyncio.get_running_loop().time()
    await asyncio.gather(asyncio.sleep(59), asyncio.sleep(58.99))
    assert token.is_valid()
    await asyncio.sleep(1)
    assert not token.is_valid()
    await virtual_clock.advance(10)
    assert virtual_clock.now >= 70


@pytest.mark.explore(schedules=20)
async def test_settle_under_exploration(settle: Callable[[], Awaitable[None]]) -> None:
    """When it returns every other task waits, under each schedule."""
    reached = []

    async def worker(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        reached.append(turns)
        await asyncio.sleep(3600)

    tasks = [asyncio.create_task(worker(turns)) for turns in (1, 5)]
    await settle()
    assert reached == [1, 5]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.virtual_time
async def test_other_threads_keep_the_real_time() -> None:
    """A server in a thread has a life of its own."""
    seen = await asyncio.to_thread(time.monotonic)
    assert seen != asyncio.get_running_loop().time()


@pytest.mark.virtual_time
def test_without_a_loop_nothing_is_virtual() -> None:
    """A mark on a module or class meets tests that are not async."""
    assert time.monotonic() != 1000.0


@pytest.mark.virtual_time
async def test_who_looks_again_and_again_gets_on() -> None:
    """A loop that polls the clock would never end, and take the test run with it."""
    began = time.monotonic()
    while time.monotonic() <= began:
        time.sleep(0.002)  # noqa: ASYNC251 - it blocks, as such code does


test_who_looks_again_and_again_gets_on = pytest.mark.allow_finding("AT201", reason="it blocks on purpose")(
    test_who_looks_again_and_again_gets_on
)


@pytest.mark.virtual_time(calendar="2026-02-28 23:59:59+00:00")
async def test_the_calendar_goes_along_on_request() -> None:
    """time.time() and datetime.now() too, from the moment that the test names."""
    await asyncio.sleep(1)
    assert datetime.now(UTC) == datetime(2026, 3, 1, tzinfo=UTC)
    before = time.time()
    await asyncio.sleep(3600)
    assert time.time() - before == 3600


@pytest.mark.explore(schedules=10)
@pytest.mark.virtual_time(calendar="2026-02-28 23:59:59+00:00")
async def test_the_calendar_goes_along_under_exploration() -> None:
    """Each schedule begins at that moment."""
    assert datetime.now(UTC) == datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)
    await asyncio.gather(asyncio.sleep(1), asyncio.sleep(1.001))
    assert datetime.now(UTC) >= datetime(2026, 3, 1, tzinfo=UTC)


def test_the_ini_file_asks_for_all_tests(pytester: pytest.Pytester) -> None:
    """And a wrong mark is a usage error that says what is right."""
    source = """
    import asyncio, pytest

    async def test_one():
        assert type(asyncio.get_running_loop()).__name__ == "VirtualClockLoop"
        await asyncio.sleep(3600)

    @pytest.mark.asyncio(loop_scope="module")
    class TestWide:
        async def test_two(self): await asyncio.sleep(3600)
        async def test_three(self): await asyncio.sleep(3600)

    def test_sync(): pass
    """
    pytester.makepyfile(test_it=source)
    pytester.runpytest_inprocess(*_MODES, "-o", "virtual_time=true").assert_outcomes(passed=4)
    pytester.makepyfile(test_it='import pytest\n@pytest.mark.virtual_time(calendar="soon")\nasync def test_x(): pass\n')
    result = pytester.runpytest_inprocess(*_MODES)
    result.stderr.fnmatch_lines(["ERROR: test_it.py::test_x: *'soon'*write calendar=True*"])


def test_everything_is_put_back() -> None:
    """No test after it sees another clock."""
    assert time.monotonic is threading._time  # type: ignore[attr-defined]


# ---------------------------------------------------------------------- real I/O holds the clock: no false TimeoutError


async def _answer_of_a_socket() -> None:
    ours, theirs = socketpair()
    ours.setblocking(False)
    asked = threading.Event()

    def answer() -> None:
        asked.wait(5)
        time.sleep(0.05)
        theirs.send(b"pong")

    thread = threading.Thread(target=answer)
    thread.start()
    reader, writer = await asyncio.open_connection(sock=ours)
    asked.set()
    async with asyncio.timeout(5):
        assert await reader.read(4) == b"pong"
    writer.close()
    await writer.wait_closed()
    thread.join()
    theirs.close()


async def _answer_of_a_thread() -> None:
    async with asyncio.timeout(0.5):
        assert await asyncio.to_thread(lambda: time.sleep(0.01) or 7) == 7  # type: ignore[func-returns-value]


async def _answer_of_a_child() -> None:
    async with asyncio.timeout(30):
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(7)", stdout=subprocess.PIPE)
        out, _ = await child.communicate()
    assert out == b"7\n"


async def _answer_of_a_server() -> None:
    """Its own three seconds are virtual, like the client's five."""
    runner, url = await _serving(3)
    began = asyncio.get_running_loop().time()
    async with ClientSession(timeout=ClientTimeout(5)) as session, session.get(url) as reply:
        assert await reply.text() == "done"
    assert 3 <= asyncio.get_running_loop().time() - began < 3.5
    await runner.cleanup()


async def _no_answer_of_a_server() -> None:
    """A timeout that is due comes, and before the answer."""
    runner, url = await _serving(30)
    async with ClientSession(timeout=ClientTimeout(5)) as session:
        with pytest.raises(TimeoutError):
            async with session.get(url):
                pass
    await runner.cleanup()


async def _serving(seconds: float) -> tuple[web.AppRunner, str]:
    async def handle(_: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}/"


_REAL = (_answer_of_a_socket, _answer_of_a_thread, _answer_of_a_child, _answer_of_a_server, _no_answer_of_a_server)
real_io = pytest.mark.parametrize("program", _REAL, ids=[each.__name__.strip("_") for each in _REAL])


@real_io
@pytest.mark.virtual_time
async def test_real_io_holds_the_clock(program: Callable[[], Awaitable[None]]) -> None:
    """No timeout fires because the real world took real time."""
    await program()


@real_io
@pytest.mark.explore(schedules=4)
async def test_real_io_holds_the_clock_under_exploration(program: Callable[[], Awaitable[None]]) -> None:
    """The same, in whatever order it answers."""
    await program()
