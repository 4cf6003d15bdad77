"""Coroutines that were made and never ran."""

from __future__ import annotations

import asyncio
import functools
import unittest
import warnings
from unittest.mock import AsyncMock, create_autospec, patch

import pytest

from shared_testing import mock_of, on


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


async def test_a_value_that_cannot_be_used() -> None:
    user = Store().save("alice")  # !! AT101
    assert user["name"] == "alice"


async def test_kept_by_a_cycle() -> None:
    store = Store()
    store.me, store.pending = store, store.save("alice")  # type: ignore[attr-defined] # !! AT101


KEPT: list[object] = []


async def test_kept_by_a_module() -> None:
    KEPT.append(Store().save("alice"))  # !! AT101


async def test_a_warning_that_the_test_waits_for_is_fine() -> None:
    coroutine = Store().save("alice")
    with pytest.warns(RuntimeWarning, match="never awaited"):
        del coroutine


async def test_a_warning_that_the_test_records_is_fine(recwarn: pytest.WarningsRecorder) -> None:
    Store().save("alice")
    assert "never awaited" in str(recwarn.pop(RuntimeWarning).message)


class TestAssertWarns(unittest.IsolatedAsyncioTestCase):
    async def test_a_warning_that_unittest_waits_for_is_fine(self) -> None:
        with self.assertWarns(RuntimeWarning):
            Store().save("alice")


async def test_another_warning_is_waited_for() -> None:
    with pytest.warns(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        Store().save("alice")  # !! AT101


async def test_an_innocent_one_after_it() -> None:
    await asyncio.sleep(0)


@pytest.fixture(scope="module")
def journal() -> list[Store]:
    return []


async def test_kept_by_an_attribute_of_what_a_fixture_keeps(journal: list[Store]) -> None:
    store = Store()
    journal.append(store)
    store.pending = store.save("alice")  # type: ignore[attr-defined] # !! AT101


async def test_kept_by_a_traceback_two_levels_deep() -> None:
    store = Store()
    store.pending = {"alice": [store.save("alice")]}  # type: ignore[attr-defined] # !! AT101
    raise RuntimeError(store)


async def test_a_list_that_gather_does_not_take() -> None:
    await asyncio.gather([Store().save("alice")])  # !! AT101


async def test_wait_takes_tasks() -> None:
    await asyncio.wait([Store().save("alice")])  # !! AT101


async def test_gather_of_the_function() -> None:
    await asyncio.gather(Store().save)  # !! AT101


async def test_a_task_of_the_function() -> None:
    await asyncio.create_task(Store().save)  # !! AT101


async def test_a_group_of_the_function() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(Store().save)  # !! AT101


async def test_await_of_the_function() -> None:
    store = Store()
    await store.save  # !! AT101


async def tick() -> None:  # !! AT101
    await asyncio.sleep(0)


async def test_a_callback_of_the_loop() -> None:
    asyncio.get_running_loop().call_soon(tick)
    await asyncio.sleep(0.001)


def test_in_a_sync_test() -> None:
    Store().save("alice")  # !! AT101


async def test_an_async_mock() -> None:
    mailer = AsyncMock()
    mailer.send("alice")  # !! AT101


async def test_an_async_mock_of_a_function() -> None:
    save = create_autospec(Store().save)
    save("alice")  # !! AT101


async def test_patched_by_an_async_mock() -> None:
    with patch.object(Store, "save"):
        Store().save("alice")  # !! AT101


async def test_in_a_partial() -> None:
    functools.partial(Store().save, "alice")()  # !! AT101


async def test_awaited_later_is_fine() -> None:
    pending = Store().save("alice")
    await asyncio.sleep(0)
    assert await pending == "alice"


async def test_closed_on_purpose_is_fine() -> None:
    Store().save("alice").close()


async def test_an_error_that_is_meant_is_fine() -> None:
    with pytest.raises(TypeError):
        await asyncio.gather(Store().save)  # type: ignore[arg-type]


async def test_a_task_that_has_not_begun_is_fine() -> None:
    asyncio.create_task(Store().save("alice"))


@pytest.fixture(scope="module")
def pending() -> object:
    yield (coroutine := Store().save("alice"))
    asyncio.run(coroutine)


def test_held_by_a_fixture_that_runs_it_later(pending: object) -> None:
    assert asyncio.iscoroutine(pending)


async def test_a_stand_in_for_a_class() -> None:
    mailer = mock_of(Store)
    mailer.save("alice")  # !! AT101


async def test_a_stand_in_that_is_awaited_is_fine() -> None:
    store = mock_of(Store)
    on(store.save).returns("alice")
    assert await store.save("alice") == "alice"
