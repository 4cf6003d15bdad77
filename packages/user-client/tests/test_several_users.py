"""Many users at once: what is shared, what is kept, and what is left behind."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from shared_testing.contracts.user_api import GET_USER
from shared_testing.fakes.weather import Weather
from user_client import (
    ClientClosed,
    RequestTimedOut,
    ServerUnavailable,
    SomeUsersFailed,
    SomeUsersTimedOut,
    User,
    UserAPIClient,
    UserNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import FakeUsers, VirtualClock


async def test_users_come_in_the_order_asked_for(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """Whatever order the answers arrive in."""
    users.populate(40)
    users.weather = Weather(latency=0.5, seed=3)
    ids = [*range(40, 0, -1)]
    async with UserAPIClient(users.url, timeout=60) as client:
        assert [user["id"] for user in await client.fetch_multiple_users(iter(ids))] == ids


async def test_no_ids_are_no_users(users: FakeUsers, client: UserAPIClient) -> None:
    """An empty list is answered without a request."""
    assert await client.fetch_multiple_users([]) == []
    assert users.requests == []


async def test_an_id_that_occurs_again_is_fetched_once(users: FakeUsers, client: UserAPIClient) -> None:
    """Thirty equal ids are one request; each place has a dict of its own (C14)."""
    alice = users.add()
    found = await client.fetch_multiple_users([1] * 29 + ["1"])
    assert found == [alice] * 30
    assert len(users.requests) == 1
    found[0]["name"] = "changed"
    assert found[1] == alice


async def test_one_failure_does_not_lose_the_others(users: FakeUsers, client: UserAPIClient) -> None:
    """All are tried, and the error holds what arrived and why the rest did not (C3)."""
    users.populate(5)
    users.remove(3)
    with pytest.raises(
        SomeUsersFailed, match=r"2 of 6 users .*3: UserNotFound: GET /users/3 was answered by 404"
    ) as caught:
        await client.fetch_multiple_users([1, 2, 3, 4, 5, "x"])
    assert isinstance(caught.value, aiohttp.ClientError)
    assert [user["id"] for user in caught.value.users] == [1, 2, 4, 5]
    assert {key: type(error) for key, error in caught.value.errors.items()} == {3: UserNotFound, "x": UserNotFound}


async def test_errors_may_come_in_the_places_of_their_users(users: FakeUsers, client: UserAPIClient) -> None:
    """With return_errors nothing is raised, and each place says what became of its id (C3)."""
    users.populate(2)
    outcomes = await client.fetch_multiple_users([1, 9, 2, 9], return_errors=True)
    assert [type(outcome) for outcome in outcomes] == [dict, UserNotFound, dict, UserNotFound]


async def test_nothing_is_sent_after_it_has_raised(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient
) -> None:
    """No request runs on, or starts, behind the caller's back (C3b)."""
    users.populate(20)
    users.remove(1)
    users.weather = Weather(latency=0.5)
    with pytest.raises(SomeUsersFailed):
        await client.fetch_multiple_users(range(1, 21))
    sent = len(users.requests)
    assert sent == 20
    assert users.in_flight == 0
    await virtual_clock.advance(60)
    assert len(users.requests) == sent


async def test_cancelling_ends_every_request(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient, settle: Callable[[], Awaitable[None]]
) -> None:
    """When the cancelled call returns its tasks are done, and nothing follows (C3b)."""
    users.on(GET_USER).fault("stall", times=None)
    before = asyncio.all_tasks()
    call = asyncio.create_task(client.fetch_multiple_users(range(100)))
    await virtual_clock.advance(1)
    assert users.in_flight == 10
    ours = {task for task in asyncio.all_tasks() - before if "_work" in repr(task)}
    assert len(ours) == 10
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert all(task.done() for task in ours)
    await virtual_clock.advance(60)
    assert len(users.requests) == 10
    assert users.in_flight == 0


async def test_the_deadline_is_that_of_the_whole_call(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """However many ids: what arrived in time is kept, and the rest is not even asked for (C17)."""
    for number in (1, 2, 3):
        users.on(GET_USER).delay(1).reply(200, {"id": number, "name": "A"})
    users.on(GET_USER).fault("stall", times=None)
    async with UserAPIClient(users.url, timeout=5, max_concurrent=1) as client:
        with pytest.raises(SomeUsersTimedOut, match="297 of 300 users") as caught:
            await client.fetch_multiple_users(range(1, 301))
    assert virtual_clock.now == pytest.approx(5)
    assert isinstance(caught.value, TimeoutError)
    assert [user["id"] for user in caught.value.users] == [1, 2, 3]
    assert all(isinstance(error, RequestTimedOut) for error in caught.value.errors.values())
    assert len(users.requests) == 4
    assert str(caught.value.errors[300]) == "user 300 was not there when the 5 s for all had passed"


async def test_a_long_list_may_have_more_time(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """`timeout` of the call replaces that of the client, which each user keeps."""
    users.populate(10)
    users.weather = Weather(latency=0.2)
    async with UserAPIClient(users.url, timeout=1, max_concurrent=1) as client:
        assert len(await client.fetch_multiple_users(range(1, 11), timeout=100)) == 10
        assert virtual_clock.now > 1
        with pytest.raises(ValueError, match="timeout=0"):
            await client.fetch_multiple_users([1], timeout=0)


async def test_letters_are_not_ids(client: UserAPIClient) -> None:
    """A str where a list belongs is refused, not read letter by letter."""
    with pytest.raises(ValueError, match="letter by letter"):
        await client.fetch_multiple_users("123")


async def test_a_client_closed_meanwhile_keeps_what_had_arrived(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """Closing ends the call, with the users so far."""
    users.on(GET_USER).reply(200, {"id": 1, "name": "A"}).fault("stall", times=None)
    client = UserAPIClient(users.url, max_concurrent=1)
    call = asyncio.create_task(client.fetch_multiple_users([1, 2, 3]))
    await virtual_clock.advance(1)
    await client.close()
    with pytest.raises(SomeUsersFailed) as caught:
        await call
    assert len(caught.value.users) == 1
    assert [type(error) for error in caught.value.errors.values()] == [ClientClosed] * 2


async def test_the_error_survives_pickling_with_its_cargo(users: FakeUsers, client: UserAPIClient) -> None:
    """It can go through a process pool, or be copied."""
    users.populate(1)
    with pytest.raises(SomeUsersFailed) as caught:
        await client.fetch_multiple_users([1, 2])
    for other in (pickle.loads(pickle.dumps(caught.value)), copy.deepcopy(caught.value)):
        assert (type(other), str(other)) == (SomeUsersFailed, str(caught.value))
        assert other.users == caught.value.users
        assert str(other.errors[2]) == str(caught.value.errors[2])


async def test_a_bug_below_comes_out_as_it_is(users: FakeUsers) -> None:
    """What is no error of the API, say in the caller's session, is neither wrapped nor kept."""
    users.populate(3)

    class Broken(Exception):
        pass

    async def explode(*_: Any) -> None:
        raise Broken

    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(explode)
    async with UserAPIClient(users.url, trace_configs=[tracing]) as client:
        with pytest.raises(Broken):
            await client.fetch_multiple_users([1, 2, 3])


async def test_a_broken_server_costs_each_user_its_retries_and_no_more(
    users: FakeUsers, virtual_clock: VirtualClock, client: UserAPIClient
) -> None:
    """Every user gets the tries of the policy."""
    users.on(GET_USER).reply(500, times=6)
    outcomes = await client.fetch_multiple_users([1, 2], return_errors=True)
    assert [type(outcome) for outcome in outcomes] == [ServerUnavailable] * 2
    assert len(users.requests) == 6


async def test_a_cancellation_at_any_moment_leaves_nothing_running(users: FakeUsers, client: UserAPIClient) -> None:
    """Cancelled after each number of steps in turn, the call returns only when its workers are gone."""
    users.populate(12)
    mine = asyncio.all_tasks()
    for steps in range(300):
        call = asyncio.create_task(client.fetch_multiple_users(range(1, 13)))
        for _ in range(steps):
            await asyncio.sleep(0)
        if call.done():
            break
        ours = {task for task in asyncio.all_tasks() - mine if "_work" in repr(task)}
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert all(task.done() for task in ours)
        assert client._connections is not None
        assert client._connections.permits.free == 10
        assert not client._connections.calls
    assert len(await call) == 12


async def test_a_subclass_decides_how_a_user_is_fetched(users: FakeUsers) -> None:
    """fetch_multiple_users is many fetch_user, so a cache there is a cache here."""

    class Cached(UserAPIClient):
        async def fetch_user(self, user_id: int | str) -> User:
            return {"id": int(user_id), "name": "from the cache"}

    assert [user["name"] for user in await Cached(users.url).fetch_multiple_users([1, 2])] == ["from the cache"] * 2
    assert users.requests == []
