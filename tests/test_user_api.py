"""The user API's contract, played to all that serve it: the fake, in memory and over TCP, stubs, and a real one.

``pytest tests --user-api-url https://testuser:testpass@staging.example.com`` plays it to a server of yours.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from aioresponses import CallbackResult
from yarl import URL

from shared_testing import FakeUsers, aioresponses
from shared_testing.contracts import ContractViolation, Reply, check_reply
from shared_testing.contracts.user_api import GET_USER, LOGIN, USER_API
from shared_testing.contracts.user_api_suite import UserAPIContract, UserAPIUnderTest
from shared_testing.http import Network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NAMES = ["Alice", "Bob", "Alice Smith", "Érika", "Zoë"]


def under_test(session: aiohttp.ClientSession, fake: FakeUsers) -> UserAPIUnderTest:
    fake.require_login = True
    # Backwards: the order of their ids is not that in which they came.
    for number, name in reversed(list(enumerate(NAMES, start=1))):
        fake.add(name, id=number)
    return UserAPIUnderTest(
        session,
        fake.url,
        "testuser",
        "testpass",
        throttle=lambda: fake.on(GET_USER).reply(429, retry_after=1),
        expire_tokens=fake.expire_tokens,
    )


@asynccontextmanager
async def memory() -> AsyncIterator[UserAPIUnderTest]:
    async with Network() as network, aiohttp.ClientSession() as session:
        yield under_test(session, FakeUsers().serve_on(network))


@asynccontextmanager
async def tcp() -> AsyncIterator[UserAPIUnderTest]:
    async with FakeUsers() as fake, aiohttp.ClientSession() as session:
        yield under_test(session, fake)


class StubbedAPI:
    """The answers that somebody would write down for aioresponses, by hand."""

    def __init__(self) -> None:
        self.token = "t0ken"
        self.throttled = False
        self.users = [{"id": number, "name": name} for number, name in enumerate(NAMES, start=1)]

    def throttle(self) -> None:
        self.throttled = True

    def expire(self) -> None:
        self.token += "+"

    def log_in(self, _: URL, **request: Any) -> CallbackResult:
        login = request.get("json")
        if not isinstance(login, dict) or login.keys() != {"username", "password"}:
            return problem(422)
        if login != {"username": "testuser", "password": "testpass"}:
            return problem(401)
        return CallbackResult(payload={"access_token": self.token, "token_type": "bearer", "expires_in": 60})

    def answer(self, url: URL, **request: Any) -> CallbackResult:
        if self.throttled:
            return problem(429, {"Retry-After": "1"})
        if request.get("headers", {}).get("Authorization") != f"Bearer {self.token}":
            return problem(401)
        if url.path == "/users":
            return self.page(url.query.get("after", "0"), url.query.get("limit", "100"))
        if url.path == "/users/search":
            return self.search(url.query.get("q"))
        found = [user for user in self.users if url.path == f"/users/{user['id']}"]
        return CallbackResult(payload=found[0]) if found else problem(404)

    def page(self, after: str, limit: str) -> CallbackResult:
        if not after.isdecimal() or not limit.isdecimal() or not 1 <= int(limit) <= 1000:
            return problem(422)
        rest = self.users[int(after) :]
        page = rest[: int(limit)]
        return CallbackResult(payload={"users": page, "next": page[-1]["id"] if len(rest) > len(page) else None})

    def search(self, text: str | None) -> CallbackResult:
        if text is None:
            return problem(422)
        return CallbackResult(payload=[user for user in self.users if text.lower() in str(user["name"]).lower()])  # type: ignore[arg-type]


def problem(status: int, headers: dict[str, str] | None = None) -> CallbackResult:
    return CallbackResult(status=status, payload={"error": str(status)}, headers=headers)


@asynccontextmanager
async def stubs() -> AsyncIterator[UserAPIUnderTest]:
    url, api = "https://api.example.com", StubbedAPI()
    with aioresponses() as responses:
        responses.check_against(USER_API, url)
        responses.post(f"{url}/auth/login", callback=api.log_in, repeat=True)
        responses.get(re.compile(f"{url}/users.*"), callback=api.answer, repeat=True)
        async with aiohttp.ClientSession() as session:
            yield UserAPIUnderTest(
                session, url, "testuser", "testpass", throttle=api.throttle, expire_tokens=api.expire
            )
        # Not every promise needs both of them.
        responses.clear()


@asynccontextmanager
async def real(given: str) -> AsyncIterator[UserAPIUnderTest]:
    url = URL(given)
    async with aiohttp.ClientSession() as session:
        address = str(url.with_user(None)).rstrip("/")
        yield UserAPIUnderTest(session, address, url.user or "testuser", url.password or "testpass")


SERVERS = {"memory": memory, "tcp": tcp, "responses": stubs}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The real one only where there is one: a skip would say nothing."""
    if "user_api" in metafunc.fixturenames:
        servers = {**SERVERS}
        if (url := metafunc.config.getoption("--user-api-url")) is not None:
            servers["real"] = partial(real, url)
        metafunc.parametrize("user_api", list(servers.values()), ids=list(servers), indirect=True)


class TestUserAPI(UserAPIContract):
    @pytest_asyncio.fixture
    async def user_api(self, request: pytest.FixtureRequest) -> AsyncIterator[UserAPIUnderTest]:
        async with request.param() as served:
            yield served


# ---------------------------------------------------------------- the suite itself


MUTANTS: dict[str, tuple[bytes, bytes]] = {
    "a field has another name": (b'"name"', b'"full_name"'),
    "ids are text": (b'"id": 1,', b'"id": "1",'),
    "a field more": (b'"id": 1,', b'"id": 1, "is_admin": false,'),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_server_that_has_changed_is_found_out(mutant: str) -> None:
    """By every reply that the suite reads, not only by what its tests look at."""
    before, after = MUTANTS[mutant]
    body = b'{"id": 1, "name": "Alice", "email": "a@example.com"}'
    headers = {"Content-Type": "application/json"}
    check_reply(GET_USER, Reply(200, headers, body))
    with pytest.raises(ContractViolation):
        check_reply(GET_USER, Reply(200, headers, body.replace(before, after)))


async def test_the_document_names_each_operation_and_status(users: FakeUsers) -> None:
    """/openapi.json is for tools that read no Python."""
    async with aiohttp.ClientSession(users.url) as session, session.get("/openapi.json") as response:
        document = await response.json()
    for endpoint in USER_API.endpoints:
        operation = document["paths"][endpoint.path][endpoint.method.lower()]
        assert set(operation["responses"]) == {str(status) for status in endpoint.replies}
    login = document["paths"][LOGIN.path]["post"]["requestBody"]["content"]["application/json"]
    assert login["example"] == {"username": "testuser", "password": "testpass"}
    assert document["components"]["schemas"]["User"]["properties"]["id"] == {"type": "integer", "minimum": 1}


@pytest.fixture
def production(network: Network) -> Iterator[FakeUsers]:
    """The fake at the URL that the code under test has built in."""
    fake = FakeUsers().serve_on(network, "https://api.example.com")
    yield fake
    fake.tell_unused()


async def test_the_fake_may_stand_at_the_production_url(production: FakeUsers) -> None:
    """Nothing in the code under test has to be turned to it."""
    production.add("Alice")
    async with aiohttp.ClientSession() as session, session.get("https://api.example.com/users/1") as response:
        assert (await response.json())["name"] == "Alice"
