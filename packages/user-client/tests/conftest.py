"""What several test files need."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from user_client import AuthenticatedAPIClient, RetryPolicy, UserAPIClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared_testing import FakeUsers


class TopOfTheRange(Random):
    """Draws the longest wait that the jitter allows."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.fixture
def exact() -> RetryPolicy:
    """Three tries, with waits of exactly 1 and 2 seconds."""
    return RetryPolicy(base_delay=1, random=TopOfTheRange())


@pytest.fixture
async def client(users: FakeUsers, exact: RetryPolicy) -> AsyncIterator[UserAPIClient]:
    async with UserAPIClient(users.url, retry=exact) as opened:
        yield opened


@pytest.fixture
async def member(users: FakeUsers, exact: RetryPolicy) -> AsyncIterator[AuthenticatedAPIClient]:
    """A client that may log in to a server which insists on it."""
    users.require_login = True
    users.populate(60)
    async with AuthenticatedAPIClient(users.url, retry=exact) as opened:
        yield opened
