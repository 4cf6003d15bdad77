"""The client's own types against the contract's, which are written separately: every reply, there and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import user_client.users
from shared_testing.contracts import ContractViolation, Reply, check_reply, user_api
from shared_testing.contracts.shape import fields_of
from shared_testing.contracts.user_api import GET_USER, LIST_USERS, LOGIN, SEARCH_USERS
from user_client import (
    AuthenticatedAPIClient,
    RateLimited,
    ResponseInvalid,
    RetryPolicy,
    ServerUnavailable,
    UserAPIClient,
    UserAPIError,
    UserNotFound,
    WrongPassword,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from shared_testing import FakeUsers
    from shared_testing.contracts import Endpoint

FULL = {"id": 1, "name": "Alice", "email": "alice@example.com", "plan": "team"}
LEAST = {"id": 1, "name": ""}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def client(users: FakeUsers) -> AsyncIterator[UserAPIClient]:
    async with UserAPIClient(users.url, retry=RetryPolicy(attempts=1)) as opened:
        yield opened


@pytest.mark.parametrize("name", ["User", "UserPage"])
def test_the_types_have_the_same_fields(name: str) -> None:
    """With the same need for them; the client does not promise the contract's ranges."""
    theirs, ours = fields_of(getattr(user_api, name)), fields_of(getattr(user_client.users, name))
    assert {field: each.required for field, each in theirs.items()} == {
        field: each.required for field, each in ours.items()
    }


@pytest.mark.parametrize("user", [FULL, LEAST, {"id": 1, "name": "Zoë\u2028\0"}])
async def test_each_user_arrives_as_it_was_sent(users: FakeUsers, client: UserAPIClient, user: dict[str, Any]) -> None:
    """Alone, in a search and on a page."""
    users.on(GET_USER).reply(200, user)
    users.on(SEARCH_USERS).reply(200, [user, user])
    users.on(LIST_USERS).reply(200, {"users": [user], "next": None})
    assert await client.fetch_user(1) == user
    assert await client.search_users("a") == [user, user]
    assert [each async for each in client.iterate_users()] == [user]


async def test_each_status_of_the_contract_is_an_answer_or_an_error_of_ours(
    users: FakeUsers, client: UserAPIClient
) -> None:
    """The client knows all that the API may say to a request for a user."""
    expected = {401: UserAPIError, 404: UserNotFound, 429: RateLimited}
    for status in sorted(GET_USER.replies.keys() - {200}):
        headers: dict[str, Any] = {"retry_after": 7} if status == 429 else {}
        users.on(GET_USER).reply(status, **headers)
        with pytest.raises(expected.get(status, ServerUnavailable)) as caught:
            await client.fetch_user(1)
        assert caught.value.status == status


async def test_a_token_is_read_from_the_reply_that_the_contract_has(users: FakeUsers) -> None:
    """And sent back by the scheme that the contract names."""
    users.require_login = True
    users.add("Alice")
    async with AuthenticatedAPIClient(users.url) as member:
        with pytest.raises(WrongPassword):
            await member.authenticate("testuser", "wrong")
        users.on(LOGIN).answer()
        await member.authenticate("testuser", "testpass")
        assert (await member.fetch_user(1))["name"] == "Alice"


ALMOST: list[tuple[Endpoint, object]] = [
    (GET_USER, {"id": "1", "name": "Alice"}),
    (GET_USER, {"id": True, "name": "Alice"}),
    (GET_USER, {"id": 1}),
    (GET_USER, {"id": 1, "name": None}),
    (GET_USER, {"id": 1, "name": "Alice", "email": None}),
    (GET_USER, [FULL]),
    (SEARCH_USERS, {"users": [FULL]}),
    (SEARCH_USERS, [FULL, {"id": 1}]),
    (LIST_USERS, {"users": [FULL]}),
    (LIST_USERS, {"users": [FULL], "next": "1"}),
]


@pytest.mark.parametrize(("endpoint", "body"), ALMOST)
async def test_what_the_contract_forbids_the_client_refuses(
    users: FakeUsers, client: UserAPIClient, endpoint: Endpoint, body: object
) -> None:
    """In all that the client reads they agree; it lets fields pass that it does not know, for a newer server."""
    with pytest.raises(ContractViolation):
        check_reply(endpoint, Reply(200, JSON, json.dumps(body).encode()))
    calls: dict[Endpoint, Callable[[], Awaitable[object]]] = {
        GET_USER: lambda: client.fetch_user(1),
        SEARCH_USERS: lambda: client.search_users("a"),
        LIST_USERS: lambda: anext(client.iterate_users()),
    }
    users.on(endpoint).break_contract(200, body)
    with pytest.raises(ResponseInvalid):
        await calls[endpoint]()


async def test_all_that_the_client_asks_the_contract_takes(users: FakeUsers, client: UserAPIClient) -> None:
    """No request of its own is refused as unreadable, or goes where nobody answers."""
    users.populate(5)
    await client.fetch_user(1)
    await client.search_users("user & co?")
    assert len([user async for user in client.iterate_users(page_size=2)]) == 5
    with pytest.raises(UserNotFound):
        await client.fetch_user("../login")
