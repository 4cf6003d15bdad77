"""Logging in: once, for everybody, and without a word of the token."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import traceback
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from shared_testing import FakeUsers
from shared_testing.contracts.user_api import GET_USER, LOGIN
from user_client import (
    AuthenticatedAPIClient,
    AuthenticationFailed,
    ClientClosed,
    NotAuthenticated,
    RequestTimedOut,
    ServerUnavailable,
    UserAPIClient,
    UserAPIError,
    UserNotFound,
    WrongPassword,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import VirtualClock

    Settle = Callable[[], Awaitable[None]]


async def test_all_calls_carry_the_token(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """After authenticate() a user, several, a search and a walk are all admitted (A8)."""
    await member.authenticate("testuser", "testpass")
    assert (await member.fetch_user(1))["id"] == 1
    assert len(await member.fetch_multiple_users([1, 2])) == 2
    assert len(await member.search_users("user 1")) == 11
    assert len([user async for user in member.iterate_users()]) == 60
    assert member.token is not None
    assert {request.headers["Authorization"] for request in users.requests[1:]} == {f"Bearer {member.token}"}


async def test_calls_before_the_login_say_what_to_do(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """NotAuthenticated is a ValueError that names the call, and nothing is sent."""
    calls: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
        ("GET /users/1", lambda: member.fetch_user(1)),
        ("fetch_multiple_users", lambda: member.fetch_multiple_users([1])),
        ("GET /users/search", lambda: member.search_users("a")),
        ("GET /users", lambda: anext(member.iterate_users())),
    ]
    for name, call in calls:
        with pytest.raises(
            ValueError, match=rf"{name}.* needs a token.*authenticate\(username, password\) first"
        ) as caught:
            await call()
        assert isinstance(caught.value, NotAuthenticated)
        assert isinstance(caught.value, aiohttp.ClientError)
    assert users.requests == []


async def test_a_wrong_password_is_called_that(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """The server's refusal is the error, not a KeyError for a token that is not there (A2)."""
    with pytest.raises(
        WrongPassword, match=r"POST /auth/login was answered by 401 .*wrong user name or password"
    ) as caught:
        await member.authenticate("testuser", "wrong")
    assert caught.value.status == 401
    assert member.token is None


async def test_a_client_whose_login_failed_leaks_nothing(users: FakeUsers, settle: Settle) -> None:
    """Without close() no session is left unclosed after a wrong password, or a second authenticate() (A1, A2)."""
    for password in ("wrong", "testpass"):
        client = AuthenticatedAPIClient(users.url)
        for _ in range(2):
            try:
                await client.authenticate("testuser", password)
            except WrongPassword as error:
                error.__traceback__ = None
    del client
    await settle()
    gc.collect()
    await settle()
    assert [each for each in gc.get_objects() if type(each) is aiohttp.ClientSession and not each.closed] == []


async def test_a_second_login_uses_the_same_session(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """authenticate() again gets a new token over the same connection (A1)."""
    await member.authenticate("testuser", "testpass")
    first = member.token
    await member.authenticate("testuser", "testpass")
    assert member.token != first
    assert users.logins == 2
    assert users.connections == 1
    assert (await member.fetch_user(1))["id"] == 1


async def test_an_expired_token_is_renewed(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """A 401 leads to one login and the same request again, never to the 401's body as a user (A3)."""
    await member.authenticate("testuser", "testpass")
    users.expire_tokens()
    assert (await member.fetch_user(1))["name"] == "User 1"
    assert users.logins == 2


async def test_other_answers_are_errors_too(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock
) -> None:
    """A 404 or 500 is never returned as a user (A3)."""
    await member.authenticate("testuser", "testpass")
    with pytest.raises(UserNotFound):
        await member.fetch_user(999)
    users.on(GET_USER).reply(500, times=3)
    with pytest.raises(ServerUnavailable):
        await member.fetch_user(1)


async def test_a_login_has_a_deadline(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """A server that is silent at the login times out like any call (A5)."""
    users.on(LOGIN).fault("stall", times=None)
    async with AuthenticatedAPIClient(users.url, timeout=3) as client:
        with pytest.raises(RequestTimedOut, match="POST /auth/login"):
            await client.authenticate("testuser", "testpass")
    assert virtual_clock.now == pytest.approx(3)


async def test_closing_forgets_who_we_were(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """After close() there is no token, and calls say that the client is closed (A7)."""
    await member.authenticate("testuser", "testpass")
    await member.close()
    assert member.token is None
    with pytest.raises(ClientClosed):
        await member.fetch_user(1)
    await member.connect()
    with pytest.raises(NotAuthenticated):
        await member.fetch_user(1)
    await member.close()
    await member.authenticate("testuser", "testpass")
    assert (await member.fetch_user(1))["id"] == 1


def test_a_login_outlives_its_event_loop() -> None:
    """The token is still good in the next asyncio.run, which opens a session of its own."""

    async def scenario() -> None:
        async with FakeUsers(require_login=True) as users:
            users.populate(1)
            client = AuthenticatedAPIClient(users.url)
            await client.authenticate("testuser", "testpass")

            async def elsewhere() -> None:
                assert (await client.fetch_user(1))["id"] == 1

            client._connections, kept = None, client._connections
            await asyncio.to_thread(asyncio.run, elsewhere())
            assert kept is not None
            await kept.close()
            assert users.logins == 1

    asyncio.run(scenario())


async def test_credentials_are_text(member: AuthenticatedAPIClient) -> None:
    """authenticate(None, None) is refused before anything is sent."""
    with pytest.raises(ValueError, match="two strings"):
        await member.authenticate("me", None)  # type: ignore[arg-type]


def test_two_kinds_of_credentials_do_not_mix() -> None:
    """The Authorization header has room for one, so a base_url with a password is refused, unquoted."""
    with pytest.raises(ValueError, match="base_url holds credentials") as caught:
        AuthenticatedAPIClient("http://me:s3cret@api.example.com")
    assert "s3cret" not in str(caught.value)


async def test_no_word_of_the_token_gets_out(
    users: FakeUsers, member: AuthenticatedAPIClient, virtual_clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither repr, str, log nor traceback, with the locals of our frames, show token or password (A11)."""
    caplog.set_level(logging.DEBUG)
    await member.authenticate("testuser", "testpass")
    token = member.token or ""
    echo = {"error": f"do not like 'Bearer {token}', nor testpass"}
    users.on(GET_USER).reply(500, echo, times=3).break_contract(400, echo).fault("reset_mid_body", times=3)
    shown = [repr(member), str(vars(member))]
    for _ in range(3):
        with pytest.raises(UserAPIError) as caught:
            await member.fetch_user(1)
        error = caught.value
        assert error.__context__ is None
        assert error.__cause__ is None
        shown += [repr(error), str(error), str(vars(error)), repr(copy.copy(error))]
        shown += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    users.on(LOGIN).reply(401, {"error": "testpass is wrong"})
    with pytest.raises(WrongPassword, match="<hidden> is wrong") as refused:
        await member.authenticate("testuser", "testpass")
    shown += [repr(refused.value), *caplog.messages]
    # This test's own frame knows both.
    own = [line for line in shown if "member.token or" not in line and "testpass is wrong" not in line]
    assert not [line for line in own if token in line and "echo = " not in line and "token = " not in line]
    assert len(caplog.messages) > 3


async def test_a_stranger_gets_401_as_an_error(users: FakeUsers) -> None:
    """A client without a login tells that the server wants one."""
    users.require_login = True
    with pytest.raises(AuthenticationFailed, match="GET /users/1 was answered by 401 Unauthorized: token missing"):
        await UserAPIClient(users.url).fetch_user(1)
