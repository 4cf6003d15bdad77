"""Walking through all users."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING

import pytest

from shared_testing.contracts.user_api import LIST_USERS
from user_client import ResponseInvalid, UserAPIClient
from user_client.pages import UserPages

if TYPE_CHECKING:
    from shared_testing import FakeUsers, VirtualClock
    from user_client.users import UserPage


async def test_a_loop_that_is_left_early_leaves_nothing(users: FakeUsers, client: UserAPIClient) -> None:
    """Neither a request nor an async generator that somebody would have to close."""
    users.populate(5)
    async for user in client.iterate_users(page_size=2):
        assert user["id"] == 1
        break
    gc.collect()
    await client.fetch_user(1)
    assert len(users.requests) == 2


async def test_after_an_error_the_same_page_is_asked_for_again(users: FakeUsers, client: UserAPIClient) -> None:
    """No user is skipped by a walk that goes on."""
    users.populate(4)
    walk = client.iterate_users(page_size=2)
    assert [(await anext(walk))["id"] for _ in range(2)] == [1, 2]
    users.on(LIST_USERS).break_contract(200, "<html>")
    with pytest.raises(ResponseInvalid):
        await anext(walk)
    assert [user["id"] async for user in walk] == [3, 4]


async def test_a_cancelled_step_can_be_made_again(
    users: FakeUsers, client: UserAPIClient, virtual_clock: VirtualClock
) -> None:
    """No user is lost by a cancelled wait."""
    users.populate(2)
    walk = client.iterate_users()
    users.on(LIST_USERS).fault("stall")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await anext(walk)
    assert [user["id"] async for user in walk] == [1, 2]


async def test_two_tasks_do_not_share_a_walk(users: FakeUsers, client: UserAPIClient) -> None:
    """They would both get the same page."""
    users.populate(2)
    walk = client.iterate_users()
    first = asyncio.create_task(anext(walk))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="two tasks"):
        await anext(walk)
    assert (await first)["id"] == 1


async def test_a_finished_walk_stays_finished(users: FakeUsers, client: UserAPIClient) -> None:
    """It does not start over, and asks the server no more."""
    users.populate(1)
    walk = client.iterate_users()
    assert len([user async for user in walk]) == 1
    assert [user async for user in walk] == []
    assert len(users.requests) == 1


async def test_memory_does_not_grow_with_the_number_of_users() -> None:
    """A walk holds one page, however many there are."""
    held = 0

    async def fetch(after: int) -> UserPage:
        users = [{"id": after + 1 + n, "name": "A"} for n in range(10)]
        return {"users": users, "next": after + 10 if after < 10_000 else None}  # type: ignore[typeddict-item]

    walk = UserPages(fetch, 0)
    async for _ in walk:
        held = max(held, len(walk._users))
    assert held == 9


async def test_a_walk_fits_into_aclosing(users: FakeUsers, client: UserAPIClient) -> None:
    """As an async generator would; after it the walk is over."""
    users.populate(3)
    async with contextlib.aclosing(client.iterate_users()) as walk:
        assert (await anext(walk))["id"] == 1
    assert [user async for user in walk] == []
