"""Objects that belong to another event loop than the one that uses them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOCK = asyncio.Lock()  # !! AT502


async def critical(lock: asyncio.Lock) -> None:
    async with lock:
        await asyncio.sleep(0.001)


async def contend(lock: asyncio.Lock) -> None:
    await asyncio.gather(critical(lock), critical(lock))


async def test_a_global_lock() -> None:
    await contend(LOCK)


async def test_the_next_one_with_the_same_lock_is_fine() -> None:
    """It does nothing that the first did not; that one has been told."""
    await contend(LOCK)


class Store:
    gate = asyncio.Semaphore(1)  # !! AT502

    async def write(self) -> None:
        async with self.gate:
            await asyncio.sleep(0.001)


async def test_a_semaphore_of_a_class() -> None:
    await asyncio.gather(Store().write(), Store().write())


class Paths:
    def __init__(self) -> None:
        self.locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


PATHS = Paths()  # !! AT502


async def test_a_lock_in_a_dictionary_of_a_global_object() -> None:
    await contend(PATHS.locks["a"])


def default(queue: asyncio.Queue[int] = asyncio.Queue()) -> asyncio.Queue[int]:  # !! AT502
    return queue


async def test_a_queue_in_a_default_argument() -> None:
    queue = default()
    asyncio.get_running_loop().call_later(0.001, queue.put_nowait, 1)
    assert await queue.get() == 1


class Connection:
    def __init__(self) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask(self) -> str:
        return await self.answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # !! AT502
async def connection() -> object:
    return Connection()


async def test_a_future_of_a_wider_fixture(connection: Connection) -> None:
    await connection.ask()


async def test_gather_with_a_future_of_a_wider_fixture(connection: Connection) -> None:
    await asyncio.wait_for(connection.answer, 1)


async def test_gather_of_several(connection: Connection) -> None:
    await asyncio.gather(connection.ask(), connection.answer)


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # !! AT502
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_session_of_a_wider_fixture(session: aiohttp.ClientSession) -> None:
    await session.get("http://127.0.0.1:1/")


@pytest.fixture
def client_of_a_closed_loop() -> Connection:
    async def connect() -> Connection:
        return Connection()

    return asyncio.run(connect())  # !! AT502


async def test_an_object_of_a_closed_loop(client_of_a_closed_loop: Connection) -> None:
    client_of_a_closed_loop.answer.get_loop().call_soon(print)


def test_without_any_loop() -> None:
    asyncio.get_running_loop()  # !! AT502


def test_a_task_without_any_loop() -> None:
    asyncio.create_task(asyncio.sleep(0))  # !! AT502


# ---------------------------------------------------------------- fine

UNCONTENDED = asyncio.Lock()


async def test_a_global_lock_that_nobody_waits_for_is_fine() -> None:
    await critical(UNCONTENDED)


REPLACED = asyncio.Lock()


async def test_a_global_that_is_put_back_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = asyncio.Lock()
    monkeypatch.setitem(globals(), "REPLACED", lock)
    await contend(REPLACED)


async def test_a_lock_of_the_tests_own_is_fine() -> None:
    await contend(asyncio.Lock())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_connection() -> object:
    return Connection()


@pytest.mark.asyncio(loop_scope="module")
async def test_on_the_fixtures_loop_is_fine(open_connection: Connection) -> None:
    asyncio.get_running_loop().call_later(0.001, open_connection.answer.set_result, "yes")
    assert await open_connection.ask() == "yes"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_global_lock_on_a_wider_loop_is_fine() -> None:
    await contend(UNCONTENDED)


async def test_an_expected_error_is_fine() -> None:
    def work() -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()

    await asyncio.to_thread(work)


def test_a_loop_of_ones_own_is_fine() -> None:
    assert asyncio.run(asyncio.sleep(0, "done")) == "done"
