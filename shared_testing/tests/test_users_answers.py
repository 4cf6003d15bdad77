"""The fake user API: what it refuses, and what its pages leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from shared_testing.contracts.user_api import GET_USER

if TYPE_CHECKING:
    from shared_testing import FakeUsers


@pytest.mark.parametrize("scheme", ["Token", "Basic"])
async def test_a_token_is_admitted_by_its_scheme_only(users: FakeUsers, scheme: str) -> None:
    """A client that sends it in another way works against no real server."""
    users.add()
    async with aiohttp.ClientSession(users.url) as session:
        async with session.post("/auth/login", json={"username": "testuser", "password": "testpass"}) as response:
            token = (await response.json())["access_token"]
        for sent, status in ((f"Bearer {token}", 200), (f"{scheme} {token}", 401)):
            async with session.get("/users/1", headers={"Authorization": sent}) as response:
                assert response.status == status


async def test_pages_hold_summaries(users: FakeUsers) -> None:
    """Who wants all of a user asks for the user."""
    users.populate(2)
    async with aiohttp.ClientSession(users.url) as session, session.get("/users") as response:
        page = await response.json()
    assert page["users"] == [{"id": 1, "name": "User 1"}, {"id": 2, "name": "User 2"}]


@pytest.mark.allow_finding("AT602", reason="it is what is tested")
async def test_a_script_that_is_left_over_is_told(users: FakeUsers) -> None:
    """An allowance that nothing needed would be a finding, too."""
    users.on(GET_USER).reply(404)


@pytest.mark.allow_finding("AT602", reason="nobody answers that, and it is what is tested")
async def test_an_unknown_method_is_told_the_known_ones(users: FakeUsers) -> None:
    """A 405 carries Allow (RFC 9110, section 15.5.6)."""
    async with aiohttp.ClientSession(users.url) as session, session.delete("/users/1") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) >= {"GET"}
