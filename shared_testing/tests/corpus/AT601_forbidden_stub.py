"""Stubs that the contract forbids."""

from __future__ import annotations

import aiohttp

from shared_testing.builders.responses import aioresponses
from shared_testing.contracts.user_api import GET_USER, USER_API
from shared_testing.fakes.users import FakeUsers


async def status_of(users: FakeUsers) -> int:
    async with aiohttp.ClientSession(users.url) as session, session.get("/users/1") as response:
        return response.status


def throttle(users: FakeUsers) -> None:
    users.on(GET_USER).reply(429)  # !! AT601


async def test_a_status_that_nobody_has_promised(users: FakeUsers) -> None:
    users.on(GET_USER).reply(418)  # !! AT601
    assert await status_of(users) == 418


async def test_a_header_that_is_missing(users: FakeUsers) -> None:
    throttle(users)
    assert await status_of(users) == 429


async def test_a_misspelt_field(users: FakeUsers) -> None:
    users.on(GET_USER).reply(200, {"id": 1, "full_name": "Alice"})  # !! AT601
    assert await status_of(users) == 200


async def test_a_user_that_cannot_be(users: FakeUsers) -> None:
    users.add("Alice", id=-5)  # !! AT601


async def test_a_stub_of_aioresponses(responses: aioresponses) -> None:
    responses.check_against(USER_API, "https://api.example.com")
    responses.get("https://api.example.com/users/1", payload={"id": 1, "nmae": "Alice"})  # !! AT601


async def test_what_is_promised_is_fine(users: FakeUsers) -> None:
    users.add("Alice")
    users.on(GET_USER).reply(429, retry_after=7).reply(404, {"error": "gone"}).reply(503).answer()
    assert [await status_of(users) for _ in range(4)] == [429, 404, 503, 200]


async def test_a_server_that_misbehaves_on_purpose_is_fine(users: FakeUsers) -> None:
    users.on(GET_USER).break_contract(418, "<html>")
    assert await status_of(users) == 418


async def test_another_service_with_the_same_path_is_fine(responses: aioresponses) -> None:
    responses.check_against(USER_API, "https://api.example.com")
    responses.get("https://api.github.test/users/1", payload={"login": "octocat"})
    async with aiohttp.ClientSession() as session, session.get("https://api.github.test/users/1") as response:
        assert await response.json() == {"login": "octocat"}
