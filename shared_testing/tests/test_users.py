"""The fake user API, asked by a bare aiohttp client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from shared_testing import FakeUsers
from shared_testing.contracts import ContractViolation
from shared_testing.contracts.openapi import openapi
from shared_testing.contracts.user_api import GET_USER, USER_API

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared_testing import VirtualClock
    from shared_testing.http import Network


@pytest_asyncio.fixture
async def session(users: FakeUsers) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(users.url) as session:
        yield session


async def ask(session: aiohttp.ClientSession, path: str, **kwargs: Any) -> tuple[int, Any]:
    async with session.get(path, **kwargs) as response:
        return response.status, await response.json()


async def log_in(session: aiohttp.ClientSession, password: str = "testpass") -> tuple[int, Any]:
    async with session.post("/auth/login", json={"username": "testuser", "password": password}) as response:
        return response.status, await response.json()


async def test_a_user_can_be_fetched(users: FakeUsers, session: aiohttp.ClientSession) -> None:
    """What was added is what the API returns."""
    alice = users.add("Alice")
    assert await ask(session, "/users/1") == (200, alice)


@pytest.mark.parametrize("name", ["2", "0", "-1", "x", "1x", "%E2%91%A0"])
async def test_an_unknown_user_is_not_found(users: FakeUsers, session: aiohttp.ClientSession, name: str) -> None:
    """Whatever is not the id of a user gives 404 with a problem."""
    users.add("Alice")
    status, body = await ask(session, f"/users/{name}")
    assert (status, list(body)) == (404, ["error"])


async def test_pages_cover_every_user_once(users: FakeUsers, session: aiohttp.ClientSession) -> None:
    """Following `next` from page to page meets each id, in order, and ends."""
    users.populate(7)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        _, page = await ask(session, "/users", params={"after": after, "limit": 3})
        seen += [user["id"] for user in page["users"]]
        after = page["next"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_a_full_last_page_is_the_last(users: FakeUsers, session: aiohttp.ClientSession) -> None:
    """Six users in pages of three are two pages, not three."""
    users.populate(6)
    _, page = await ask(session, "/users", params={"after": 3, "limit": 3})
    assert page["next"] is None


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"after": "x"}])
async def test_a_bad_page_is_refused(session: aiohttp.ClientSession, query: dict[str, str]) -> None:
    """Nonsense in the query is the caller's fault: 422."""
    assert (await ask(session, "/users", params=query))[0] == 422


async def test_an_integer_may_be_of_any_size(users: FakeUsers, session: aiohttp.ClientSession) -> None:
    """The contract sets no bound: nobody comes after a number that is higher than all."""
    users.populate(1)
    for digits in (19, 4000):
        number = "9" * digits
        assert await ask(session, "/users", params={"after": number}) == (200, {"users": [], "next": None})
        assert (await ask(session, f"/users/{number}"))[0] == 404
    # Python itself refuses to read these; it is still the caller's fault.
    number = "9" * 5000
    assert (await ask(session, "/users", params={"after": number}))[0] == 422
    assert (await ask(session, f"/users/{number}"))[0] == 404


async def test_search_finds_parts_of_names(users: FakeUsers, session: aiohttp.ClientSession) -> None:
    """Upper and lower case do not matter."""
    users.add("Alice")
    users.add("Bob")
    users.add("Alice Smith")
    _, found = await ask(session, "/users/search", params={"q": "ALICE"})
    assert [user["name"] for user in found] == ["Alice", "Alice Smith"]


async def test_a_login_gives_a_token_that_is_accepted(session: aiohttp.ClientSession, users: FakeUsers) -> None:
    """With require_login the token opens the door, and nothing else does."""
    users.add("Alice")
    users.require_login = True
    assert (await ask(session, "/users/1"))[0] == 401
    _, token = await log_in(session)
    authorization = {"Authorization": f"Bearer {token['access_token']}"}
    assert (await ask(session, "/users/1", headers=authorization))[0] == 200
    users.expire_tokens()
    assert (await ask(session, "/users/1", headers=authorization))[0] == 401


async def test_a_wrong_password_is_refused(session: aiohttp.ClientSession, users: FakeUsers) -> None:
    """401, and no login is counted."""
    assert (await log_in(session, "wrong"))[0] == 401
    assert users.logins == 0


async def test_a_token_lives_as_long_as_it_was_told(
    session: aiohttp.ClientSession, users: FakeUsers, virtual_clock: VirtualClock
) -> None:
    """A token of 60 seconds works at 59 and not at 61."""
    users.add("Alice")
    users.token_lifetime = 60
    _, token = await log_in(session)
    authorization = {"Authorization": f"Bearer {token['access_token']}"}
    await virtual_clock.advance(59)
    assert (await ask(session, "/users/1", headers=authorization))[0] == 200
    await virtual_clock.advance(2)
    assert (await ask(session, "/users/1", headers=authorization))[0] == 401


@pytest.mark.parametrize("body", [b"", b"[]", b'{"username": "testuser"}', b"\xff"])
async def test_a_login_that_is_no_login_is_refused(session: aiohttp.ClientSession, body: bytes) -> None:
    """Bytes that are not the JSON of a login give 422, not a broken server."""
    async with session.post("/auth/login", data=body) as response:
        assert response.status == 422


async def test_requests_and_their_peak_are_counted(users: FakeUsers, session: aiohttp.ClientSession) -> None:
    """A test can tell how many requests, connections and requests at once there were."""
    users.add("Alice")
    users.on(GET_USER).delay(0.01, times=3)
    await asyncio.gather(*(ask(session, "/users/1") for _ in range(3)))
    assert [(seen.method, seen.path) for seen in users.requests] == [("GET", "/users/1")] * 3
    assert (users.peak, users.in_flight, users.connections) == (3, 0, 3)


async def test_a_test_can_wait_for_a_request(users: FakeUsers, session: aiohttp.ClientSession) -> None:
    """`await users.received(2)` returns with the second arrival, though neither is answered."""
    users.on(GET_USER).fault("stall", times=2)
    asking = [asyncio.ensure_future(ask(session, "/users/1"))]
    await users.received(1)
    asking.append(asyncio.ensure_future(ask(session, "/users/1")))
    await users.received(2)
    assert len(users.requests) == 2
    for request in asking:
        request.cancel()
    await asyncio.wait(asking)


def test_ids_are_unique() -> None:
    """Adding the same id twice is a mistake in the test."""
    fake = FakeUsers()
    fake.add("Alice", id=7)
    with pytest.raises(ValueError, match="ids are unique"):
        fake.add("Bob", id=7)


def test_the_url_of_a_stopped_fake_says_what_to_do() -> None:
    """Before it is entered there is no port to name."""
    with pytest.raises(RuntimeError, match="async with FakeUsers"):
        _ = FakeUsers().url


async def test_a_taken_port_leaves_nothing_running() -> None:
    """Entering fails with the system's error, and the half-made server is undone."""
    async with FakeUsers() as users:
        port = int(users.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            await FakeUsers(port=port).__aenter__()


@pytest.mark.allow_finding("AT601", reason="the refusal is what is tested")
@pytest.mark.parametrize(("user", "reason"), [({"id": -5}, "id is -5, but is at least 1"), ({"name": 3}, "name is an")])
def test_a_user_that_the_api_cannot_have_is_refused(user: Any, reason: str) -> None:
    """On the line that adds it."""
    with pytest.raises(ContractViolation, match=reason):
        FakeUsers().add(**user)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/users?limit=0", "limit is 0, but is at least 1"),
        ("/users?limit=1001", "limit is 1001, but is at most 1000"),
        ("/users?after=x", "after is a string, 'x', not an integer"),
        ("/users?after=-1", "after is -1"),
        ("/users/search", "q is missing"),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(session: aiohttp.ClientSession, path: str, reason: str) -> None:
    """By 422, with the parameter's name."""
    status, problem = await ask(session, path)
    assert status == 422
    assert reason in problem["error"]


async def test_a_login_is_json(session: aiohttp.ClientSession) -> None:
    """A form is another thing, though it holds the same words."""
    async with session.post("/auth/login", data={"username": "testuser", "password": "testpass"}) as response:
        assert response.status == 422
        assert "application/json" in (await response.json())["error"]


@pytest.mark.allow_finding("AT602", reason="the report is what is tested")
@pytest.mark.parametrize(("path", "nearest"), [("/user/1", "GET /users/{id}"), ("/v2/shop/orders", "there are POST")])
async def test_a_path_that_the_api_lacks_names_the_nearest(
    session: aiohttp.ClientSession, path: str, nearest: str
) -> None:
    """The answer is a 404 as any other; that nobody has meant it, the test's report says."""
    status, problem = await ask(session, path)
    assert status == 404
    assert nearest in problem["error"]


async def test_it_describes_itself(session: aiohttp.ClientSession) -> None:
    """/openapi.json is made from the contract that the stubs are held against."""
    status, document = await ask(session, "/openapi.json")
    assert (status, document) == (200, openapi(USER_API))


async def test_it_may_be_served_at_the_production_url(network: Network) -> None:
    """Code that has its URL from nowhere else finds it."""
    fake = FakeUsers().serve_on(network, "https://api.example.com")
    fake.add("Alice")
    async with aiohttp.ClientSession() as session:
        assert (await ask(session, "https://api.example.com/users/1"))[0] == 200
    assert fake.connections == 1
