"""What a test may ask for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from shared_testing.builders.tasks import TaskBuilders
from shared_testing.loop import idle
from shared_testing.loop.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from shared_testing.builders.files import FileBuilders
    from shared_testing.builders.queues import QueueBuilders
    from shared_testing.builders.responses import aioresponses
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
