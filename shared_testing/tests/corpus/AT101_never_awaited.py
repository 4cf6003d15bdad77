"""Coroutines that were made and never ran."""

from __future__ import annotations

import asyncio


class Store:
    async def save(self, user: str) -> str:
        await asyncio.sleep(0)
        return user


async def test_a_statement_without_await() -> None:
    Store().save("alice")  # !! AT101
    await asyncio.sleep(0)


async def test_a_value_that_is_used() -> None:
    user = Store().save("alice")  # !! AT101
    assert not isinstance(user, str)


async def test_kept_by_a_cycle() -> None:
    store = Store()
    store.me, store.pending = store, store.save("alice")  # type: ignore[attr-defined] # !! AT101


def test_in_a_sync_test() -> None:
    Store().save("alice")  # !! AT101


async def test_awaited_later_is_fine() -> None:
    pending = Store().save("alice")
    await asyncio.sleep(0)
    assert await pending == "alice"


async def test_closed_on_purpose_is_fine() -> None:
    Store().save("alice").close()
