"""Async generators that are left in the middle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio

taken: list[str] = []
kept: list[object] = []


@contextlib.asynccontextmanager
async def connection() -> AsyncIterator[str]:
    taken.append("connection")
    try:
        yield "connection"
    finally:
        await asyncio.sleep(0)
        taken.remove("connection")


async def rows() -> AsyncIterator[int]:
    async with connection():
        for number in range(3):
            yield number


async def numbers() -> AsyncIterator[int]:
    for number in range(3):
        await asyncio.sleep(0)
        yield number


async def chunks() -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"chunk"
    finally:
        taken.clear()


async def first_row() -> int | None:
    async for row in rows():  # !! AT305
        return row
    return None


async def test_left_by_return() -> None:
    assert await first_row() == 0


async def test_left_by_break() -> None:
    async for _ in chunks():  # !! AT305
        break


async def test_left_by_an_exception() -> None:
    try:
        async for row in rows():  # !! AT305
            raise ValueError(row)
    except ValueError:
        pass


async def test_kept() -> None:
    stream = chunks()  # !! AT305
    kept.append(stream)
    await anext(stream)


class Reader:
    def __init__(self) -> None:
        self.chunks = chunks()  # !! AT305

    async def next(self) -> object:
        return await anext(self.chunks)


async def test_kept_by_an_object() -> None:
    await Reader().next()


async def test_left_by_a_timeout() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            async for _ in rows():  # !! AT305
                await asyncio.sleep(1)


async def test_a_context_manager_that_is_only_entered() -> None:
    manager = connection()  # !! AT305
    await manager.__aenter__()


def test_in_a_loop_of_its_own() -> None:
    async def main() -> None:
        async for _ in chunks():  # !! AT305
            break

    asyncio.run(main())


async def test_read_to_its_end_is_fine() -> None:
    assert [row async for row in rows()] == [0, 1, 2]


async def test_closed_is_fine() -> None:
    async with contextlib.aclosing(rows()) as found:
        async for _ in found:
            break
    stream = chunks()
    await anext(stream)
    await stream.aclose()


async def test_nothing_to_clean_up_is_fine() -> None:
    async for _ in numbers():
        break


async def test_never_begun_is_fine() -> None:
    kept.append(rows())


async def test_context_managers_are_fine() -> None:
    async with connection(), contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(connection())


async def test_a_failed_read_is_fine() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            async for _ in waiting():
                pass


async def waiting() -> AsyncIterator[int]:
    async with connection():
        await asyncio.sleep(3600)
        yield 1


async def test_a_leaked_task_is_the_only_cause() -> None:
    async def work() -> None:
        async for _ in rows():
            await asyncio.sleep(3600)

    kept.append(asyncio.create_task(work()))  # !! AT301
    await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def database() -> AsyncIterator[str]:
    async with connection() as made:
        yield made


async def test_a_fixture_is_fine(database: str) -> None:
    assert database in taken


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide() -> AsyncIterator[object]:
    stream = rows()
    await anext(stream)
    yield stream
    await stream.aclose()


async def test_what_a_wider_fixture_began_is_fine(wide: object) -> None:
    await asyncio.sleep(0)
