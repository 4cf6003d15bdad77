"""The one login under way: who shares it, and what becomes of it when they leave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.contracts.user_api import GET_USER, LOGIN
from user_client import (
    AuthenticatedAPIClient,
    AuthenticationFailed,
    ClientClosed,
    NotAuthenticated,
    RequestTimedOut,
    ResponseInvalid,
    WrongPassword,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import FakeUsers, VirtualClock

    Settle = Callable[[], Awaitable[None]]


def _logins(users: FakeUsers) -> int:
    return sum(request.path == "/auth/login" for request in users.requests)


async def test_fifty_calls_renew_with_one_login(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """Whoever meets the 401 waits for the same login; none is repeated, none is lost (A6)."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    found = await asyncio.gather(*(member.fetch_user(number) for number in range(1, 51)))
    assert [user["id"] for user in found] == [*range(1, 51)]
    assert users.logins == 2


async def test_fifty_logins_at_once_are_one(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """Concurrent authenticate() with the same credentials share a login, and one session (A6)."""
    await asyncio.gather(*(member.authenticate("testuser", "testpass") for _ in range(50)))
    assert users.logins == 1
    assert users.connections == 1


@pytest.mark.explore(schedules=25)
async def test_in_whatever_order_the_refusals_come_there_is_one_login(
    users: FakeUsers, member: AuthenticatedAPIClient
) -> None:
    """Each answer may be late, and one caller may leave: the others still share one login (A6)."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    calls = [asyncio.create_task(member.fetch_user(number)) for number in (1, 2, 3)]
    await asyncio.sleep(0.01)
    calls[0].cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [outcome["id"] for outcome in outcomes if isinstance(outcome, dict)][-2:] == [2, 3]
    # A login that its only caller leaves, before the others have come to wait for it, is given up: they share the next.
    made = users.logins
    assert made in (2, 3)
    assert (await member.fetch_user(1))["id"] == 1
    assert users.logins == made


@pytest.mark.explore(schedules=20, cancel="call")
async def test_wherever_a_call_is_cancelled_the_other_gets_the_login(
    users: FakeUsers, member: AuthenticatedAPIClient
) -> None:
    """The login belongs to nobody: it goes on for those who are left."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    leaving = asyncio.create_task(member.fetch_user(1), name="call")
    staying = asyncio.create_task(member.fetch_user(2))
    await asyncio.wait([leaving, staying])
    assert staying.result()["id"] == 2
    # A login that is left before the other call has come to wait for it is given up, and that one makes its own.
    assert users.logins in (2, 3)


async def test_logins_of_different_people_take_turns(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """Two logins never overlap; the last to come is who we are, and a failure changes nothing."""
    users.credentials["bob"] = "builder"
    users.on(LOGIN).delay(1, times=3)
    people = [("testuser", "testpass"), ("bob", "builder"), ("bob", "wrong")]
    outcomes = await asyncio.gather(*(member.authenticate(*each) for each in people), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), WrongPassword]
    assert users.peak == 1
    assert users.logins == 2
    users.expire_tokens()
    await member.fetch_user(1)
    assert users.logins == 3


async def test_cancelling_one_leaves_the_login_to_the_others(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """Also when it is the one that started it."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    users.on(LOGIN).delay(2)
    calls = [asyncio.create_task(member.fetch_user(number)) for number in (1, 2, 3)]
    await virtual_clock.advance(1)
    calls[0].cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, dict, dict]
    assert users.logins == 2


async def test_when_all_are_cancelled_so_is_the_login(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """No task and no request stays behind, and the next call logs in anew."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    users.on(LOGIN).fault("stall")
    calls = [asyncio.create_task(member.fetch_user(number)) for number in (1, 2, 3)]
    await virtual_clock.advance(1)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "user_client login"]
    await virtual_clock.advance(0.1)
    assert users.in_flight == 0
    assert (await member.fetch_user(1))["id"] == 1
    assert users.logins == 2


async def test_a_login_that_is_being_cancelled_is_not_joined(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """Who comes in the moment in which the last waiter leaves gets a login of its own."""
    users.on(LOGIN).fault("stall")
    first = asyncio.create_task(member.authenticate("testuser", "testpass"))
    await virtual_clock.advance(1)
    first.cancel()
    second = asyncio.create_task(member.authenticate("testuser", "testpass"))
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, type(None)]
    assert users.logins == 1


async def test_a_call_does_not_outwait_its_own_deadline_for_a_login(
    users: FakeUsers, virtual_clock: VirtualClock
) -> None:
    """A call that meets a 401 late gives up at its own deadline, and takes an unneeded login with it."""
    users.populate(1)
    async with AuthenticatedAPIClient(users.url, timeout=5) as client:
        await client.authenticate("testuser", "testpass")
        users.expire_tokens()
        users.on(GET_USER).delay(4).reply(401)
        users.on(LOGIN).fault("stall")
        with pytest.raises(RequestTimedOut, match="GET /users/1"):
            await client.fetch_user(1)
        assert virtual_clock.now == pytest.approx(5)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "user_client login"]


async def test_a_fresh_token_that_is_refused_is_not_renewed_again(
    users: FakeUsers, member: AuthenticatedAPIClient
) -> None:
    """A server that answers 401 to everything gets two requests and one login, not a loop."""
    await member.authenticate("testuser", "testpass")
    users.on(GET_USER).reply(401, {"error": "no access"}, times=2)
    with pytest.raises(AuthenticationFailed, match="no access"):
        await member.fetch_user(1)
    assert len(users.requests) == 1 + 1 + 1 + 1
    assert users.logins == 2


async def test_refused_credentials_are_not_tried_again_and_again(
    users: FakeUsers, member: AuthenticatedAPIClient
) -> None:
    """Once the password no longer works, fifty calls cost one login, and later calls none: accounts get locked."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    users.credentials["testuser"] = "changed"
    outcomes = await asyncio.gather(*(member.fetch_user(1) for _ in range(50)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {WrongPassword, NotAuthenticated, AuthenticationFailed}
    assert _logins(users) == 2
    with pytest.raises(NotAuthenticated):
        await member.fetch_user(1)
    assert _logins(users) == 2
    await member.authenticate("testuser", "changed")
    assert (await member.fetch_user(1))["id"] == 1


async def test_each_waiter_gets_an_error_of_its_own(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """One exception raised in several tasks would show the frames of all of them."""
    users.on(LOGIN).break_contract(400)
    outcomes = await asyncio.gather(
        *(member.authenticate("testuser", "testpass") for _ in range(3)), return_exceptions=True
    )
    assert len({id(outcome) for outcome in outcomes}) == 3
    assert len({str(outcome) for outcome in outcomes}) == 1


async def test_a_login_under_way_is_waited_for(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """A call that starts meanwhile does not spend a request on the outdated token."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    users.on(LOGIN).delay(1)
    first = asyncio.create_task(member.fetch_user(1))
    await virtual_clock.advance(0.5)
    second = asyncio.create_task(member.fetch_user(2))
    await asyncio.gather(first, second)
    assert len([request for request in users.requests if request.path == "/users/2"]) == 1


async def test_the_login_does_not_wait_behind_those_who_wait_for_it(users: FakeUsers) -> None:
    """With one permit and many calls queued, the renewal goes first, and nothing deadlocks."""
    users.populate(20)
    async with AuthenticatedAPIClient(users.url, max_concurrent=1) as client:
        await client.authenticate("testuser", "testpass")
        users.expire_tokens()
        await client.fetch_multiple_users(range(1, 21))
        await asyncio.gather(*(client.fetch_user(number) for number in range(1, 21)))
    assert users.logins == 2
    assert users.peak == 1


async def test_a_login_that_failed_for_a_while_is_part_of_the_retry(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """A renewal that meets a 503 is repeated with the request that needs it."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    users.on(LOGIN).reply(503)
    assert (await member.fetch_user(1))["id"] == 1


async def test_closing_ends_a_login_under_way(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """Nobody is logged in after close(), and no task is left."""
    users.on(LOGIN).delay(1)
    call = asyncio.create_task(member.authenticate("testuser", "testpass"))
    await virtual_clock.advance(0.5)
    await member.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "user_client login"]
    with pytest.raises(ClientClosed):
        await call
    await virtual_clock.advance(5)
    assert member.token is None


@pytest.mark.parametrize(
    "answer",
    [
        {"token": "t0p-s3cret"},
        {"access_token": None},
        {"access_token": ""},
        ["t0p-s3cret"],
        {"access_token": "t0p s3cret"},
        {"access_token": "t0p-s3cret\r\nX: y"},
        "t0p-s3cret",
    ],
)
async def test_a_login_without_a_usable_token_is_an_error(
    users: FakeUsers, member: AuthenticatedAPIClient, answer: Any
) -> None:
    """Not a KeyError, not a header injection, and the error does not quote the answer."""
    users.on(LOGIN).break_contract(200, answer)
    with pytest.raises(ResponseInvalid) as caught:
        await member.authenticate("testuser", "testpass")
    assert "s3cret" not in repr(caught.value)
    assert member.token is None


async def test_a_cancellation_at_any_moment_leaves_the_login_whole(
    users: FakeUsers, member: AuthenticatedAPIClient
) -> None:
    """One of three calls that renew is cancelled, after each number of steps in turn: the others succeed."""
    await member.authenticate("testuser", "testpass")
    for steps in range(200):
        users.expire_tokens()
        before = users.logins
        calls = [asyncio.create_task(member.fetch_user(number)) for number in (1, 2, 3)]
        for _ in range(steps):
            await asyncio.sleep(0)
        finished = calls[0].done()
        calls[0].cancel()
        _, second, third = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(second, dict)
        assert isinstance(third, dict)
        assert users.logins == before + 1
        assert member._connections is not None
        assert member._connections.permits.free == 10
        if finished:
            break
    assert finished


async def test_a_cancelled_login_at_any_moment_can_be_made_again(
    users: FakeUsers, member: AuthenticatedAPIClient
) -> None:
    """authenticate() cancelled after each number of steps leaves no task, and the next one succeeds."""
    for steps in range(200):
        login = asyncio.create_task(member.authenticate("testuser", "testpass"))
        for _ in range(steps):
            await asyncio.sleep(0)
        if login.done():
            break
        login.cancel()
        with pytest.raises(asyncio.CancelledError):
            await login
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "user_client login"]
    await login
    assert (await member.fetch_user(1))["id"] == 1


async def test_a_close_in_the_wrong_loop_changes_nothing(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """It is refused, and the client is open and logged in as before."""
    await member.authenticate("testuser", "testpass")

    def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            asyncio.run(member.close())

    await asyncio.to_thread(elsewhere)
    assert member.token is not None
    assert (await member.fetch_user(1))["id"] == 1


async def test_a_token_that_others_have_renewed_meanwhile_is_tried(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """A call whose new token expired too, while its request was under way, goes on with the newest one."""
    await member.authenticate("testuser", "testpass")
    users.on(GET_USER).reply(401).delay(2).reply(401)
    slow = asyncio.create_task(member.fetch_user(1))
    await virtual_clock.advance(1)
    await member.authenticate("testuser", "testpass")
    assert (await slow)["id"] == 1
    assert users.logins == 3


async def test_a_login_goes_before_calls_that_wait_for_a_permit(users: FakeUsers) -> None:
    """They wait for nothing else than its token."""
    users.require_login = True
    users.populate(5)
    async with AuthenticatedAPIClient(users.url, max_concurrent=1) as client:
        await client.authenticate("testuser", "testpass")
        users.expire_tokens()
        users.requests.clear()
        await asyncio.gather(*(client.fetch_user(number) for number in range(1, 6)))
    # The second has got the permit of the first when that learns of its 401.
    assert [request.path for request in users.requests[:3]] == ["/users/1", "/users/2", "/auth/login"]
