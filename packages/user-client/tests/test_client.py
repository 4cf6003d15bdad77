"""The client's own face: arguments, life and the four ways to ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import user_client
from shared_testing.contracts.user_api import GET_USER, LIST_USERS, SEARCH_USERS
from shared_testing.fakes.weather import Weather
from user_client import (
    ClientClosed,
    ConnectionFailed,
    InvalidUserId,
    ResponseInvalid,
    UserAPIClient,
    UserNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import FakeUsers, VirtualClock, aioresponses


def test_every_public_name_is_listed_in_order() -> None:
    """``__all__`` is sorted, complete, and each name in it exists."""
    names = user_client.__all__
    assert names == sorted(names)
    assert all(hasattr(user_client, name) for name in names)


# ---------------------------------------------------------------- asking


async def test_a_user_is_the_plain_dict_that_the_server_sent(users: FakeUsers, client: UserAPIClient) -> None:
    """fetch_user returns a dict with all that the API says of the user."""
    alice = users.add("Alice", email="alice@example.com")
    found = await client.fetch_user(1)
    assert type(found) is dict
    assert found == alice


async def test_a_search_finds_users_by_name(users: FakeUsers, client: UserAPIClient) -> None:
    """search_users sends the text, whatever is in it, and returns the users found."""
    users.add("Alice")
    wanted = users.add("A&b=c #1 é")
    assert await client.search_users("&b=C #1 É") == [wanted]


async def test_a_search_for_something_else_than_text_is_refused(client: UserAPIClient) -> None:
    """search_users(None) is an error before anything is sent."""
    with pytest.raises(ValueError, match="NoneType"):
        await client.search_users(None)  # type: ignore[arg-type]


async def test_fifty_calls_share_a_connection(users: FakeUsers) -> None:
    """Sequential calls reuse one pooled connection, without any connect() (C1)."""
    users.add()
    client = UserAPIClient(users.url)
    for _ in range(50):
        await client.fetch_user(1)
    assert users.connections == 1
    await client.close()


async def test_the_bound_holds_across_all_calls_of_a_client(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """max_concurrent counts requests of fetch_user and of several fetch_multiple_users together (C2)."""
    users.populate(60)
    users.weather = Weather(latency=0.1)
    async with UserAPIClient(users.url, timeout=60, max_concurrent=4) as client:
        await asyncio.gather(
            client.fetch_multiple_users(range(1, 26)),
            client.fetch_multiple_users(range(26, 46)),
            *(client.fetch_user(number) for number in range(46, 51)),
        )
    assert users.peak == 4
    assert users.connections == 4


async def test_an_id_cannot_leave_its_place_in_the_path(users: FakeUsers, client: UserAPIClient) -> None:
    """What looks like a path, a query or a fragment arrives as part of the id (C6)."""
    for user_id in ("../admin/keys", "1?role=admin#", "x@h/..%2f", "a b", "1;v=2"):
        with pytest.raises(UserNotFound):
            await client.fetch_user(user_id)
    assert [request.path for request in users.requests] == [
        "/users/..%2Fadmin%2Fkeys",
        "/users/1%3Frole%3Dadmin%23",
        "/users/x%40h%2F..%252f",
        "/users/a%20b",
        "/users/1%3Bv%3D2",
    ]


@pytest.mark.parametrize("user_id", ["", ".", "..", True, None, 1.0, b"1", "\ud800"])
async def test_what_cannot_name_a_user_is_refused(users: FakeUsers, client: UserAPIClient, user_id: Any) -> None:
    """Such an id is a clear error, and no request is sent (C6)."""
    with pytest.raises(InvalidUserId, match="is no user id"):
        await client.fetch_user(user_id)
    with pytest.raises(InvalidUserId):
        await client.fetch_multiple_users([1, user_id])
    assert users.requests == []


async def test_a_slash_at_the_end_of_the_base_url_changes_nothing(users: FakeUsers) -> None:
    """``http://host/`` asks for /users/1, not for //users/1 (C6)."""
    users.add()
    async with UserAPIClient(users.url + "/") as client:
        await client.fetch_user(1)
        assert client.base_url == users.url
    assert users.requests[0].path == "/users/1"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "null"),
        ("<html>maintenance</html>", "text/html"),
        ([], "list"),
        ({"id": "1", "name": "A"}, "id is of type str"),
        ({"id": True, "name": "A"}, "id is of type bool"),
        ({"id": 1}, "name is null or missing"),
        ({"id": 1, "name": "A", "email": 5}, "email is of type int"),
        (b"\xff{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"", "not JSON"),
    ],
)
async def test_a_wrong_answer_is_an_error_that_says_so(
    users: FakeUsers, client: UserAPIClient, body: Any, reason: str
) -> None:
    """HTML, null or another shape never comes back as a user (C8)."""
    users.on(GET_USER).break_contract(200, b"null" if body is None else body)
    with pytest.raises(ResponseInvalid, match=reason) as caught:
        await client.fetch_user(1)
    assert caught.value.path == "/users/1"


async def test_a_list_is_checked_to_its_last_user(users: FakeUsers, client: UserAPIClient) -> None:
    """A search with one broken entry names the entry."""
    users.on(SEARCH_USERS).break_contract(200, [{"id": 1, "name": "A"}, {"id": 2}])
    with pytest.raises(ResponseInvalid, match="entry 1: its name is null or missing"):
        await client.search_users("a")
    users.on(SEARCH_USERS).break_contract(200, {"users": []})
    with pytest.raises(ResponseInvalid, match="of type dict where a list"):
        await client.search_users("a")


async def test_all_users_are_walked_through_lazily(users: FakeUsers, client: UserAPIClient) -> None:
    """iterate_users asks for a page only when the one before is used up."""
    users.populate(25)
    walk = client.iterate_users(page_size=10)
    first = [(await anext(walk))["id"] for _ in range(10)]
    assert first == list(range(1, 11))
    assert len(users.requests) == 1
    assert [user["id"] async for user in walk] == list(range(11, 26))
    assert len(users.requests) == 3


async def test_a_walk_may_start_in_the_middle(users: FakeUsers, client: UserAPIClient) -> None:
    """`after` continues behind that id, which makes an export resumable."""
    users.populate(9)
    assert [user["id"] async for user in client.iterate_users(page_size=2, after=5)] == [6, 7, 8, 9]
    assert users.requests[0].path == "/users?after=5&limit=2"


@pytest.mark.parametrize(
    "page", [{"users": [], "next": 0}, {"users": []}, {"next": None}, [], {"users": [], "next": "3"}]
)
async def test_a_page_that_leads_nowhere_is_an_error(users: FakeUsers, client: UserAPIClient, page: Any) -> None:
    """A cursor that does not advance would loop for ever; a page of a wrong shape would be lost silently."""
    users.on(LIST_USERS).break_contract(200, page)
    with pytest.raises(ResponseInvalid, match="page of users"):
        await anext(client.iterate_users())


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize("timeout", [0, -1, None, float("inf"), float("nan"), True, "10"])
def test_every_call_has_a_deadline(timeout: Any) -> None:
    """A timeout that is none is refused, where aiohttp takes 0 for "wait for ever" (C16)."""
    with pytest.raises(ValueError, match="timeout="):
        UserAPIClient("http://api.example.com", timeout)


@pytest.mark.parametrize(
    "arguments", [{"max_concurrent": 0}, {"max_concurrent": 2.5}, {"max_body": 0}, {"max_body": True}]
)
def test_limits_are_whole_and_positive(arguments: Any) -> None:
    """A bound of nothing would hang for ever."""
    with pytest.raises(ValueError, match=next(iter(arguments))):
        UserAPIClient("http://api.example.com", **arguments)


@pytest.mark.parametrize(("page_size", "after"), [(0, 0), (1001, 0), (10, "5"), (10, None)])
async def test_pages_have_a_size_that_the_api_gives(page_size: int, after: Any) -> None:
    """Wrong arguments of iterate_users are refused at once, not at the first page."""
    with pytest.raises(ValueError, match=r"page_size|after"):
        UserAPIClient("http://api.example.com").iterate_users(page_size, after)


def test_a_repr_shows_no_credentials() -> None:
    """Neither repr nor base_url show what was in front of the @."""
    client = UserAPIClient("http://me:s3cret@api.example.com/v2/")
    assert repr(client) == "<UserAPIClient http://api.example.com/v2 not opened yet>"


async def test_the_caller_s_tracing_sees_each_request(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """trace_configs reach the session, so that spans come from the caller's own instrumentation."""
    users.add()
    users.on(GET_USER).reply(503)
    seen: list[str] = []

    async def on_end(session: Any, context: Any, parameters: aiohttp.TraceRequestEndParams) -> None:
        seen.append(f"{parameters.url.path} {parameters.response.status}")

    tracing = aiohttp.TraceConfig()
    tracing.on_request_end.append(on_end)
    async with UserAPIClient(users.url, trace_configs=[tracing]) as client:
        await client.fetch_user(1)
    assert seen == ["/users/1 503", "/users/1 200"]


@pytest.mark.skipif(not hasattr(aiohttp, "ClientMiddlewareType"), reason="aiohttp has them from 3.12")
async def test_the_caller_s_middlewares_run_below_the_retries(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """A middleware sees every try, and may add to it."""
    users.add()
    users.on(GET_USER).reply(503)

    async def stamp(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        request.headers["X-Stamp"] = "1"
        return await handler(request)

    async with UserAPIClient(users.url, middlewares=[stamp]) as client:
        await client.fetch_user(1)
    assert [request.headers.get("X-Stamp") for request in users.requests] == ["1", "1"]


async def test_the_session_may_be_the_caller_s(users: FakeUsers) -> None:
    """session_factory gets what the client needs, and may add to it; the client closes what it made."""
    users.add()
    made: list[aiohttp.ClientSession] = []

    def factory(**options: Any) -> aiohttp.ClientSession:
        options["headers"]["X-Team"] = "blue"
        made.append(aiohttp.ClientSession(**options))
        return made[0]

    async with UserAPIClient(users.url, session_factory=factory) as client:
        await client.fetch_user(1)
    assert users.requests[0].headers["X-Team"] == "blue"
    assert made[0].closed


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"auto_decompress": True}, "auto_decompress"), ({"connector": 3}, "limit=3 is below max_concurrent=10")],
)
async def test_a_session_that_breaks_a_promise_is_refused(change: dict[str, Any], reason: str) -> None:
    """A connector with a lower limit would queue inside aiohttp; decompression there would escape max_body."""

    def factory(**options: Any) -> aiohttp.ClientSession:
        if "connector" in change:
            return aiohttp.ClientSession(**options | {"connector": aiohttp.TCPConnector(limit=change["connector"])})
        return aiohttp.ClientSession(**options | change)

    client = UserAPIClient("http://api.example.com", session_factory=factory)
    with pytest.raises(ValueError, match=reason):
        await client.connect()


# ---------------------------------------------------------------- life


async def test_connect_may_be_called_twice(users: FakeUsers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second connect() keeps the session that is open, and leaks none (P1)."""
    users.add()
    sessions: list[aiohttp.ClientSession] = []
    real = aiohttp.ClientSession

    def record(**options: Any) -> aiohttp.ClientSession:
        sessions.append(real(**options))
        return sessions[-1]

    monkeypatch.setattr(aiohttp, "ClientSession", record)
    client = UserAPIClient(users.url)
    await client.connect()
    await client.connect()
    await client.fetch_user(1)
    await client.close()
    assert [session.closed for session in sessions] == [True]


async def test_a_closed_client_says_so(users: FakeUsers) -> None:
    """After close() calls fail with the way out, until connect() opens the client again (A7)."""
    users.add()
    client = UserAPIClient(users.url)
    await client.fetch_user(1)
    await client.close()
    await client.close()
    for call in (client.fetch_user(1), client.search_users(""), client.fetch_multiple_users([1])):
        with pytest.raises(ClientClosed, match=r"await connect\(\)"):
            await call
    await client.connect()
    assert (await client.fetch_user(1))["id"] == 1
    await client.close()


async def test_closing_ends_what_is_under_way(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """Calls that wait for an answer, a permit or a retry all fail with ClientClosed, at once."""
    users.on(GET_USER).reply(503, retry_after=5).fault("stall")
    client = UserAPIClient(users.url, max_concurrent=1)
    calls = [asyncio.create_task(client.fetch_user(number)) for number in range(3)]
    await virtual_clock.advance(0.5)
    assert (users.in_flight, len(users.requests)) == (1, 2)
    before = virtual_clock.now
    await client.close()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ClientClosed] * 3
    assert virtual_clock.now - before < 1


async def test_mocked_answers_are_enough(responses: aioresponses) -> None:
    """A client that is never closed passes under aioresponses with warnings as errors."""
    responses.get("https://api.example.com/users/1", payload={"id": 1, "name": "Alice"})
    responses.get("https://api.example.com/users/search?q=alice", payload=[{"id": 1, "name": "Alice"}])
    client = UserAPIClient("https://api.example.com")
    assert (await client.fetch_user(1))["name"] == "Alice"
    assert len(await client.search_users("alice")) == 1


async def test_no_server_is_a_connection_that_failed(virtual_clock: VirtualClock) -> None:
    """A refused connection is our error, and aiohttp's kind of it."""
    with pytest.raises(ConnectionFailed, match="GET /users/1 got no whole answer") as caught:
        await UserAPIClient("http://127.0.0.1:1").fetch_user(1)
    assert isinstance(caught.value, aiohttp.ClientConnectionError)
