"""The end of a session that nobody closed."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from shared_testing import FakeUsers
from user_client import ClientClosed, UserAPIClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import VirtualClock

    Settle = Callable[[], Awaitable[None]]


class _Sessions:
    """A session_factory that remembers, weakly, what it made."""

    def __init__(self) -> None:
        self.closed: list[bool] = []
        self.made: weakref.WeakSet[aiohttp.ClientSession] = weakref.WeakSet()

    def __call__(self, **options: Any) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(**options)
        self.made.add(session)
        return session

    def open(self) -> int:
        gc.collect()
        return sum(not session.closed for session in self.made)


async def test_a_client_in_a_cycle_closes_its_session(users: FakeUsers, settle: Settle) -> None:
    """The garbage collector would otherwise report the session before the loop could close it."""
    users.add()
    sessions = _Sessions()
    client = UserAPIClient(users.url, session_factory=sessions)
    client.itself = client  # type: ignore[attr-defined]
    await client.fetch_user(1)
    assert sessions.open() == 1
    del client
    gc.collect()
    await settle()
    assert sessions.open() == 0


async def test_a_client_collected_in_another_thread_closes_its_session(users: FakeUsers, settle: Settle) -> None:
    """The closing itself happens in the loop."""
    users.add()
    sessions = _Sessions()
    client = [UserAPIClient(users.url, session_factory=sessions)]
    await client[0].fetch_user(1)
    thread = threading.Thread(target=client.clear)
    thread.start()
    thread.join()
    await settle()
    assert sessions.open() == 0


async def test_a_session_that_was_closed_by_others_is_replaced(users: FakeUsers) -> None:
    """The next call opens another."""
    users.add()
    sessions = _Sessions()
    async with UserAPIClient(users.url, session_factory=sessions) as client:
        await client.fetch_user(1)
        for session in list(sessions.made):
            await session.close()
        assert (await client.fetch_user(1))["id"] == 1


async def test_a_cancelled_close_has_closed(users: FakeUsers) -> None:
    """Cancelling close() leaves no session open."""
    users.add()
    sessions = _Sessions()
    client = UserAPIClient(users.url, session_factory=sessions)
    await client.fetch_user(1)
    closing = asyncio.create_task(client.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert sessions.open() == 0


async def test_closing_twice_at_once_is_closing(users: FakeUsers) -> None:
    """Two tasks may close the same client."""
    users.add()
    client = UserAPIClient(users.url)
    await client.fetch_user(1)
    await asyncio.gather(client.close(), client.close())


async def test_leaving_the_block_by_an_error_closes_too(users: FakeUsers) -> None:
    """async with closes whatever happens in it."""
    sessions = _Sessions()
    with pytest.raises(KeyError):
        async with UserAPIClient(users.url, session_factory=sessions):
            raise KeyError
    assert sessions.open() == 0


def test_a_loop_closed_without_care_does_not_break_the_next() -> None:
    """After loop.close() alone the client opens a new session; the old one had no connection to lose."""
    client = UserAPIClient("http://127.0.0.1:1")
    first = asyncio.new_event_loop()
    first.run_until_complete(client.connect())
    first.run_until_complete(first.shutdown_asyncgens())
    first.close()
    asyncio.run(client.connect())
    asyncio.run(client.close())


async def test_closing_ends_a_call_that_has_no_connection_yet(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """A connection that is only being made belongs to nobody whom aiohttp would tell."""

    async def never(*_: Any) -> None:
        await asyncio.get_running_loop().create_future()

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_start.append(never)
    client = UserAPIClient(users.url, trace_configs=[tracing])
    call = asyncio.create_task(client.fetch_user(1))
    await virtual_clock.advance(1)
    await client.close()
    with pytest.raises(ClientClosed, match="closed during the call"):
        await call
    assert virtual_clock.now == pytest.approx(1)


async def test_a_call_may_close_its_own_client(users: FakeUsers) -> None:
    """From a tracing callback, say: the call fails with ClientClosed, and what follows it is not cancelled."""
    users.add()

    async def close(*_: Any) -> None:
        await client.close()

    for moment in ("on_request_start", "on_request_end"):
        tracing = aiohttp.TraceConfig()
        getattr(tracing, moment).append(close)
        client = UserAPIClient(users.url, trace_configs=[tracing])
        try:
            await client.fetch_user(1)
        except ClientClosed:
            pass
        else:
            assert moment == "on_request_end"
        await asyncio.sleep(0)
        with pytest.raises(ClientClosed):
            await client.fetch_user(1)


def _open_sessions() -> list[aiohttp.ClientSession]:
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is aiohttp.ClientSession and not each.closed]


def test_a_client_that_nobody_closed_is_closed_with_its_loop() -> None:
    """asyncio.run leaves no session, connection or warning behind, though the client lives on."""
    kept = []

    async def scenario() -> None:
        async with FakeUsers() as users:
            users.add()
            kept.append(UserAPIClient(users.url))
            await kept[0].fetch_user(1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(scenario())
        assert _open_sessions() == []
    assert [str(each.message) for each in caught] == []


async def test_a_client_that_nobody_kept_closes_itself(users: FakeUsers, settle: Callable[[], Awaitable[None]]) -> None:
    """When the client is garbage its session is closed, not reported as unclosed."""
    users.add()
    await UserAPIClient(users.url).fetch_user(1)
    await settle()
    assert _open_sessions() == []


def test_a_client_may_be_used_in_one_loop_after_the_other() -> None:
    """Each asyncio.run gets a session of its own."""
    client = UserAPIClient("http://127.0.0.1:1")

    async def scenario() -> None:
        async with FakeUsers() as users:
            users.add()
            client._base_url = UserAPIClient(users.url)._base_url
            await client.fetch_user(1)

    asyncio.run(scenario())
    asyncio.run(scenario())


async def test_a_client_is_not_shared_by_two_living_loops(users: FakeUsers) -> None:
    """In a second loop, while the first lives, the error says what to do instead of hanging."""
    users.add()
    async with UserAPIClient(users.url) as client:
        await client.fetch_user(1)

        def elsewhere() -> None:
            with pytest.raises(RuntimeError, match="another event loop"):
                asyncio.run(client.fetch_user(1))
            with pytest.raises(RuntimeError, match="another event loop"):
                asyncio.run(client.close())

        await asyncio.to_thread(elsewhere)
        await client.fetch_user(1)
