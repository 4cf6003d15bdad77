"""Clients as one finds them: a session inside the method, the production URL, no seam for a test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from shared_testing import FakeUsers
from shared_testing.contracts.user_api import GET_USER

if TYPE_CHECKING:
    from shared_testing import VirtualClock
    from shared_testing.http import Network

URL = "https://api.example.com"


class ClientOfOneCall:
    """Opens a session for each call and reaches for the service by its production URL."""

    async def get(self, path: str, **query: str) -> Any:
        limit = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession() as session,
            session.get(URL + path, params=query, timeout=limit, raise_for_status=True) as response,
        ):
            return await response.json()


class ClientThatLogsIn:
    """Opens its session in the login, and keeps it until it is closed."""

    session: aiohttp.ClientSession
    headers: dict[str, str]

    async def log_in(self, name: str, password: str) -> None:
        self.session = aiohttp.ClientSession()
        login = {"username": name, "password": password}
        async with self.session.post(f"{URL}/auth/login", json=login) as response:
            self.headers = {"Authorization": "Bearer " + (await response.json())["access_token"]}

    async def get(self, path: str) -> Any:
        async with self.session.get(URL + path, headers=self.headers) as response:
            return await response.json()

    async def close(self) -> None:
        await self.session.close()


@pytest_asyncio.fixture
async def api(network: Network) -> FakeUsers:
    fake = FakeUsers()
    fake.add("Alice")
    fake.add("Bob")
    network.serve(URL, fake.application())
    return fake


async def test_a_session_for_each_call(api: FakeUsers) -> None:
    """One call, several at once, and one with a query."""
    client = ClientOfOneCall()
    assert (await client.get("/users/1"))["name"] == "Alice"
    several = await asyncio.gather(*(client.get(f"/users/{number}") for number in (2, 1)))
    assert [user["id"] for user in several] == [2, 1]
    assert [user["name"] for user in await client.get("/users/search", q="BOB")] == ["Bob"]
    assert api.peak == 2


async def test_its_errors(api: FakeUsers, virtual_clock: VirtualClock) -> None:
    """A status, a timeout at its moment, a connection that breaks."""
    client = ClientOfOneCall()
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await client.get("/users/7")
    assert caught.value.status == 404
    api.on(GET_USER).delay(60).fault("reset_mid_body")
    with pytest.raises(asyncio.TimeoutError):
        await client.get("/users/1")
    assert virtual_clock.now == 10
    api.forget_script()
    api.on(GET_USER).fault("reset_mid_body")
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.get("/users/1")


async def test_a_session_that_is_kept(api: FakeUsers) -> None:
    """It lives from the login to close()."""
    api.require_login = True
    client = ClientThatLogsIn()
    await client.log_in("testuser", "testpass")
    assert (await client.get("/users/2"))["name"] == "Bob"
    await client.close()
    assert api.logins == 1
