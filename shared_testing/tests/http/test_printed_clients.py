"""The clients as they are printed in books: a session inside the method, the production URL, no seam for a test."""

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

PRINTED = '''
import asyncio
import aiohttp
from typing import Dict, List, Optional

class UserAPIClient:
    """Async client for fetching user data from an API"""

    def __init__(self, base_url: str, timeout: int = 10):
        self.base_url = base_url
        self.timeout = timeout

    async def fetch_user(self, user_id: int) -> Dict:
        """Fetch a single user by ID"""
        async with aiohttp.ClientSession() as session:
            async with session.get(
                f"{self.base_url}/users/{user_id}",
                timeout=aiohttp.ClientTimeout(total=self.timeout)
            ) as response:
                response.raise_for_status()
                return await response.json()

    async def fetch_multiple_users(self, user_ids: List[int]) -> List[Dict]:
        """Fetch multiple users concurrently"""
        tasks = [self.fetch_user(user_id) for user_id in user_ids]
        return await asyncio.gather(*tasks)

    async def search_users(self, query: str) -> List[Dict]:
        """Search for users by name"""
        async with aiohttp.ClientSession() as session:
            async with session.get(
                f"{self.base_url}/users/search",
                params={"q": query},
                timeout=aiohttp.ClientTimeout(total=self.timeout)
            ) as response:
                response.raise_for_status()
                return await response.json()


import aiohttp

class AuthenticatedAPIClient:
    """API client that requires async authentication"""

    def __init__(self, base_url: str):
        self.base_url = base_url
        self.token = None
        self.session = None

    async def authenticate(self, username: str, password: str):
        """Authenticate and get access token"""
        self.session = aiohttp.ClientSession()
        async with self.session.post(
            f"{self.base_url}/auth/login",
            json={"username": username, "password": password}
        ) as response:
            data = await response.json()
            self.token = data["access_token"]

    async def fetch_user(self, user_id: int):
        """Fetch user with authentication"""
        if not self.token:
            raise ValueError("Client not authenticated")

        async with self.session.get(
            f"{self.base_url}/users/{user_id}",
            headers={"Authorization": f"Bearer {self.token}"}
        ) as response:
            return await response.json()

    async def close(self):
        """Clean up session"""
        if self.session:
            await self.session.close()
'''

URL = "https://api.example.com"
CLIENTS: dict[str, Any] = {}
exec(PRINTED, CLIENTS)  # exactly as they stand there


@pytest_asyncio.fixture
async def api(network: Network) -> FakeUsers:
    fake = FakeUsers()
    fake.add("Alice")
    fake.add("Bob")
    network.serve(URL, fake.application())
    return fake


async def test_the_plain_client(api: FakeUsers) -> None:
    """Fetches one, several and searches."""
    client = CLIENTS["UserAPIClient"](URL)
    assert (await client.fetch_user(1))["name"] == "Alice"
    assert [user["id"] for user in await client.fetch_multiple_users([2, 1])] == [2, 1]
    assert [user["name"] for user in await client.search_users("BOB")] == ["Bob"]
    assert api.peak == 2


async def test_its_errors(api: FakeUsers, virtual_clock: VirtualClock) -> None:
    """A status, a timeout at its moment, a connection that breaks."""
    client = CLIENTS["UserAPIClient"](URL)
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await client.fetch_user(7)
    assert caught.value.status == 404
    api.on(GET_USER).delay(60).fault("reset_mid_body")
    with pytest.raises(asyncio.TimeoutError):
        await client.fetch_user(1)
    assert virtual_clock.now == 10
    api.forget_script()
    api.on(GET_USER).fault("reset_mid_body")
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.fetch_user(1)


async def test_the_client_that_logs_in(api: FakeUsers) -> None:
    """Its session lives from authenticate() to close()."""
    api.require_login = True
    client = CLIENTS["AuthenticatedAPIClient"](URL)
    await client.authenticate("testuser", "testpass")
    assert (await client.fetch_user(2))["name"] == "Bob"
    await client.close()
    assert api.logins == 1
