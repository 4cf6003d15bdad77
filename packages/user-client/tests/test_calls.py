"""Whole calls: tries, waits, deadlines, and what a cancellation leaves behind."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.contracts.user_api import GET_USER, LIST_USERS, LOGIN, SEARCH_USERS
from user_client import (
    AuthenticatedAPIClient,
    ConnectionFailed,
    RateLimited,
    RequestRefused,
    RequestTimedOut,
    RetryBudget,
    RetryPolicy,
    ServerUnavailable,
    UserAPIClient,
    UserAPIError,
    UserNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import FakeUsers, VirtualClock, aioresponses


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_passing_failure_is_tried_again(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient, status: int
) -> None:
    """A server that recovers in time goes unnoticed (C4)."""
    users.add()
    users.on(GET_USER).reply(status, times=2)
    assert (await client.fetch_user(1))["id"] == 1
    assert len(users.requests) == 3
    assert client.retries == 2
    assert virtual_clock.now == pytest.approx(1 + 2)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422, 451, 501])
async def test_a_lasting_failure_is_not(users: FakeUsers, client: UserAPIClient, status: int) -> None:
    """What will be refused again is asked once."""
    users.on(GET_USER).break_contract(status)
    with pytest.raises(UserAPIError) as caught:
        await client.fetch_user(1)
    assert caught.value.status == status
    assert len(users.requests) == 1


async def test_after_the_last_try_the_real_error_comes_out(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient
) -> None:
    """The last answer is the error, with its status, path and message."""
    users.on(SEARCH_USERS).reply(503, {"error": "database is down"}, times=3)
    with pytest.raises(ServerUnavailable, match="GET /users/search was answered by 503 Service Unavailable") as caught:
        await client.search_users("a")
    assert (caught.value.status, caught.value.path) == (503, "/users/search")
    assert caught.value.server_message == "database is down"
    assert len(users.requests) == 3


async def test_a_broken_connection_is_tried_again(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient
) -> None:
    """A reset before or within the answer is not seen by the caller."""
    alice = users.add()
    users.on(GET_USER).fault("reset_before_headers").fault("reset_mid_body")
    assert await client.fetch_user(1) == alice


async def test_a_connection_that_stays_broken_is_an_error(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient
) -> None:
    """All tries cut in the middle of the body end in ConnectionFailed, which has no status."""
    users.add()
    users.on(GET_USER).fault("reset_mid_body", times=3)
    with pytest.raises(ConnectionFailed) as caught:
        await client.fetch_user(1)
    assert caught.value.status is None
    assert client.retries == 2


async def test_a_login_is_not_repeated(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """A POST is not idempotent, so even a 503 with Retry-After is final."""
    users.on(LOGIN).reply(503, retry_after=1)
    client = AuthenticatedAPIClient(users.url)
    with pytest.raises(ServerUnavailable):
        await client.authenticate("testuser", "testpass")
    assert len(users.requests) == 1
    await client.close()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
async def test_the_server_s_wish_to_wait_is_honoured(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient, as_date: bool, status: int
) -> None:
    """Retry-After in seconds or as a date is the least wait (C4)."""
    users.add()
    wish: object = 7
    if as_date:
        wish = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    users.on(GET_USER).reply(status, retry_after=wish)
    await client.fetch_user(1)
    assert 6 <= virtual_clock.now <= 8


async def test_a_wait_that_passes_the_deadline_is_not_begun(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient
) -> None:
    """Retry-After: 60 in a call of 10 s fails at once, with the real error and the server's wish."""
    users.on(GET_USER).reply(429, {"error": "slow down"}, retry_after=60)
    with pytest.raises(RateLimited, match="429 Too Many Requests: slow down") as caught:
        await client.fetch_user(1)
    assert caught.value.retry_after == 60
    assert virtual_clock.now == 0
    assert "does not fit" in caught.value.__notes__[0]


# ---------------------------------------------------------------- deadlines


async def test_a_silent_server_is_a_timeout_of_ours(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """The deadline raises a UserAPIError and TimeoutError that says what was asked (C16b)."""
    users.on(GET_USER).fault("stall")
    client = UserAPIClient(users.url, timeout=3)
    with pytest.raises(RequestTimedOut, match="GET /users/1 got no whole answer within 3 s, in 1 try") as caught:
        await client.fetch_user(1)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, UserAPIError)
    assert virtual_clock.now == pytest.approx(3)
    await client.close()


async def test_the_deadline_includes_the_tries_and_the_waits(
    users: FakeUsers, virtual_clock: VirtualClock, exact: RetryPolicy
) -> None:
    """A call with retries takes no longer than timeout, and tells what it met on the way (C17)."""
    users.on(GET_USER).delay(2).reply(503, {"error": "warming up"}).fault("stall")
    async with UserAPIClient(users.url, timeout=5, retry=exact) as client:
        with pytest.raises(RequestTimedOut, match=r"in 2 tries; before that: .*503 Service Unavailable: warming up"):
            await client.fetch_user(1)
    assert virtual_clock.now == pytest.approx(5)


async def test_the_deadline_includes_the_wait_for_a_permit(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """A call that never got its turn times out as well, and its turn goes to the next."""
    users.on(GET_USER).delay(4).reply(200, users.add())
    async with UserAPIClient(users.url, timeout=5, max_concurrent=1) as client:
        first = asyncio.create_task(client.fetch_user(1))
        await asyncio.sleep(2)
        users.on(GET_USER).fault("stall")
        second = asyncio.create_task(client.fetch_user(1))
        third = asyncio.create_task(client.fetch_user(1))
        assert (await first)["id"] == 1
        outcomes = await asyncio.gather(second, third, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [RequestTimedOut] * 2
        assert virtual_clock.now == pytest.approx(7)
        assert (await client.fetch_user(1))["id"] == 1


async def test_a_try_may_have_a_limit_of_its_own(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """With attempt_timeout a stalled try is given up and repeated, at the higher price."""
    users.add()
    users.on(GET_USER).fault("stall")
    budget = RetryBudget(10)
    policy = RetryPolicy(attempt_timeout=2, base_delay=0, budget=budget)
    async with UserAPIClient(users.url, retry=policy) as client:
        assert (await client.fetch_user(1))["id"] == 1
        assert virtual_clock.now == pytest.approx(2, abs=0.5)
        users.on(GET_USER).fault("stall", times=None)
        with pytest.raises(RequestTimedOut, match="attempt_timeout=2 s"):
            await client.fetch_user(1)
    assert budget.tokens == 0


async def test_a_try_that_timed_out_costs_more_of_the_budget(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """It has held a connection of the server for all that time."""
    users.on(GET_USER).fault("stall", times=2)
    budget = RetryBudget(10, retry_cost=1, timeout_cost=4)
    policy = RetryPolicy(attempts=2, base_delay=0, attempt_timeout=1, budget=budget)
    async with UserAPIClient(users.url, retry=policy) as client:
        with pytest.raises(RequestTimedOut):
            await client.fetch_user(1)
    assert budget.tokens == 6


async def test_a_timeout_of_the_session_is_final(responses: aioresponses) -> None:
    """A TimeoutError from below is ours, and is not taken for a broken connection."""
    responses.get("https://api.example.com/users/1", exception=TimeoutError("Request timed out"))
    with pytest.raises(RequestTimedOut):
        await UserAPIClient("https://api.example.com").fetch_user(1)


async def test_each_page_of_a_walk_is_a_call(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """A walk longer than the timeout succeeds as long as each page is in time."""
    for first in (1, 3, 5, 7):
        page = [{"id": first, "name": "A"}, {"id": first + 1, "name": "B"}]
        users.on(LIST_USERS).delay(2).reply(200, {"users": page, "next": first + 1 if first < 7 else None})
    async with UserAPIClient(users.url, timeout=3) as client:
        assert len([user async for user in client.iterate_users(page_size=2)]) == 8
    assert virtual_clock.now == pytest.approx(8)


async def test_the_caller_s_own_timeout_stays_the_caller_s(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """asyncio.timeout around a call raises the plain TimeoutError that its author expects."""
    users.on(GET_USER).fault("stall")
    async with UserAPIClient(users.url, timeout=5) as client:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(1):
                await client.fetch_user(1)
    assert type(caught.value) is TimeoutError


# ---------------------------------------------------------------- cancellation


async def _cancel_after(seconds: float, call: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(call)
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_call_gives_its_permit_back(
    users: FakeUsers, virtual_clock: VirtualClock, exact: RetryPolicy
) -> None:
    """While it waits for an answer, for a permit or between two tries: the next call finds everything free."""
    users.add()
    async with UserAPIClient(users.url, max_concurrent=1, retry=exact) as client:
        users.on(GET_USER).fault("stall")
        await _cancel_after(1, client.fetch_user(1))
        users.on(GET_USER).reply(503)
        await _cancel_after(0.5, client.fetch_user(1))
        users.on(GET_USER).delay(5)
        first = asyncio.create_task(client.fetch_user(1))
        await asyncio.sleep(1)
        await _cancel_after(1, client.fetch_user(1))
        await first
        assert (await client.fetch_user(1))["id"] == 1
    assert users.in_flight == 0


async def test_a_cancellation_at_any_moment_leaves_the_client_usable(users: FakeUsers) -> None:
    """Cancelled after each number of steps in turn, from the first await to the last, it loses no permit."""
    users.add()
    async with UserAPIClient(users.url, max_concurrent=1) as client:
        for steps in range(200):
            task = asyncio.create_task(client.fetch_user(1))
            for _ in range(steps):
                await asyncio.sleep(0)
            if task.done():
                break
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client._connections is not None
            assert client._connections.permits.free == 1
        assert task.done()
        assert await task == await client.fetch_user(1)


async def test_the_first_answer_wins_and_nobody_hangs(
    users: FakeUsers, virtual_clock: VirtualClock, settle: Callable[[], Awaitable[None]]
) -> None:
    """Cancelling a queued call just after it was woken lets the next in line have its turn.

    aiohttp's own queue loses that wake-up (aiohttp issue 9670), which is why no request waits in it.
    """
    users.add()
    users.on(GET_USER).delay(1)
    async with UserAPIClient(users.url, max_concurrent=1) as client:

        async def first_wins() -> None:
            await client.fetch_user(1)
            hedge.cancel()

        winner = asyncio.create_task(first_wins())
        await settle()
        hedge = asyncio.create_task(client.fetch_user(1))
        other = asyncio.create_task(client.fetch_user(1))
        await winner
        assert (await other)["id"] == 1
        with pytest.raises(asyncio.CancelledError):
            await hedge


async def test_an_error_does_not_keep_its_call_alive(users: FakeUsers, client: UserAPIClient) -> None:
    """The frames of a failed call are freed with the error, without the garbage collector."""
    import gc
    import weakref

    class Query(str):
        __slots__ = ("__weakref__",)

    query = Query("x")
    gone = weakref.ref(query)
    users.on(SEARCH_USERS).break_contract(400)
    gc.disable()
    try:
        with pytest.raises(RequestRefused):
            await client.search_users(query)
        del query
        assert gone() is None
    finally:
        gc.enable()


async def test_a_retry_is_logged_for_those_who_want_it(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """At level DEBUG the logger user_client names the request, the answer and the wait."""
    users.add()
    users.on(GET_USER).reply(503)
    with caplog.at_level(logging.DEBUG, "user_client"):
        await client.fetch_user(1)
    assert caplog.messages == [
        "GET /users/1 was answered by 503 Service Unavailable: scripted 503; trying again in 1.000 s"
    ]


async def test_a_missing_user_is_not_a_missing_page(users: FakeUsers, client: UserAPIClient) -> None:
    """404 for a user is UserNotFound; elsewhere it means a wrong base_url."""
    with pytest.raises(UserNotFound, match="GET /users/999 was answered by 404 Not Found: no user 999"):
        await client.fetch_user(999)
    users.on(SEARCH_USERS).break_contract(404)
    with pytest.raises(RequestRefused) as caught:
        await client.search_users("a")
    assert not isinstance(caught.value, UserNotFound)
