"""What a test may ask for."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from shared_testing.builders.tasks import TaskBuilders
from shared_testing.loop import idle
from shared_testing.loop.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from shared_testing.builders.files import FileBuilders
    from shared_testing.builders.processes import Processes
    from shared_testing.builders.queues import QueueBuilders
    from shared_testing.builders.redis_server import RedisServer
    from shared_testing.builders.responses import aioresponses
    from shared_testing.builders.tcp_proxy import TcpProxy
    from shared_testing.builders.wall_clock import WallClock
    from shared_testing.fakes.users import FakeUsers
    from shared_testing.http import Network


@pytest_asyncio.fixture
async def virtual_clock() -> VirtualClock:
    """The clock of this test's loop: sleeps and timeouts take no real time."""
    loop = asyncio.get_running_loop()
    clock = getattr(loop, "clock", None)
    if not isinstance(clock, VirtualClock):
        raise pytest.UsageError(
            f"virtual_clock needs the loop of shared_testing, but this test runs on {type(loop).__name__}; "
            "use it in an async test with loop_scope='function' and without another loop factory"
        )
    return clock


@pytest.fixture
def settle() -> Callable[[], Awaitable[None]]:
    """``await settle()`` returns when every other task is blocked."""
    return idle.settle


@pytest.fixture
def tasks() -> TaskBuilders:
    """Coroutine functions with a scripted behaviour, which count what happened to them."""
    return TaskBuilders()


@pytest.fixture
def files() -> Iterator[FileBuilders]:
    """Files with any content, and real faults of the operating system; gone after the test."""
    from shared_testing.builders.files import FileBuilders

    with FileBuilders() as builders:
        yield builders


@pytest.fixture
def queues() -> QueueBuilders:
    """Message queues in memory, with what goes wrong on a real one."""
    from shared_testing.builders.queues import QueueBuilders

    return QueueBuilders()


@pytest_asyncio.fixture
async def users(network: Network) -> AsyncIterator[FakeUsers]:
    """The fake user API, served in memory at ``users.url``, for code that uses aiohttp's client in this process."""
    from shared_testing.fakes.users import FakeUsers

    fake = FakeUsers().serve_on(network)
    yield fake
    fake.tell_unused()


@pytest_asyncio.fixture
async def network() -> AsyncIterator[Network]:
    """Hosts in memory: ``network.serve("https://api.example.com", app)``. Others are refused."""
    from shared_testing.http import Network

    async with Network() as network:
        yield network


@pytest.fixture
def responses() -> Iterator[aioresponses]:
    """aioresponses, working on today's aiohttp, and strict about stubs that are not used and requests without one."""
    from shared_testing.builders.responses import aioresponses

    with aioresponses() as stubs:
        yield stubs


@pytest.fixture(scope="session")
def _redis_of_the_session() -> Iterator[RedisServer]:
    from shared_testing.builders.redis_server import RedisServer

    with RedisServer(_redis_program()) as server:
        yield server


@pytest.fixture
def redis_url(_redis_of_the_session: RedisServer) -> str:
    """The URL of a real Redis or Valkey on this machine, which is empty."""
    _redis_of_the_session.flush()
    return _redis_of_the_session.url


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real Redis or Valkey of this test alone, to pause, kill and restart: ``redis_server.url``."""
    from shared_testing.builders.redis_server import RedisServer

    with RedisServer(_redis_program(), durable=True) as server:
        yield server


def _redis_program() -> str:
    """Without one a test is skipped on a desk; on a CI machine nobody would see that."""
    from shared_testing.builders.redis_server import PROGRAMS, find_program

    if program := find_program():
        return program
    missing = (
        f"this test needs a real server, and neither {' nor '.join(PROGRAMS)} is on PATH: apt-get install redis-server"
    )
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest_asyncio.fixture
async def tcp_proxy() -> AsyncIterator[Callable[[str], Awaitable[TcpProxy]]]:
    """``proxy = await tcp_proxy(redis_url)``: use ``proxy.url``; ``cut()``, ``refuse()``, ``stall()``, ``heal()``."""
    from shared_testing.builders.tcp_proxy import TcpProxy

    async with AsyncExitStack() as proxies:

        async def before(url: str) -> TcpProxy:
            return await proxies.enter_async_context(TcpProxy(url))

        yield before


@pytest_asyncio.fixture
async def processes() -> AsyncIterator[Processes]:
    """``worker = await processes.start("python", "-m", "my_worker")``: killed at the end of the test, if not before."""
    from shared_testing.builders.processes import Processes

    async with Processes() as started:
        yield started


@pytest.fixture
def wall_clock() -> Iterator[WallClock]:
    """``wall_clock.jump(3600)``: ``time.time()`` of this process is an hour later, and nothing else is."""
    from shared_testing.builders.wall_clock import WallClock

    with WallClock() as clock:
        yield clock
