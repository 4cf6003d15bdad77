"""Tasks that outlive their test."""

from __future__ import annotations

import asyncio

import pytest_asyncio


class Poller:
    def start(self) -> None:
        self.task = asyncio.create_task(self.poll())  # !! AT301

    async def poll(self) -> None:
        while True:
            await asyncio.sleep(1)


async def test_never_cancelled() -> None:
    Poller().start()
    await asyncio.sleep(0)


async def test_cancelled_and_awaited_is_fine() -> None:
    task = asyncio.create_task(asyncio.sleep(3600))
    task.cancel()
    await asyncio.wait([task])


async def test_cancelled_a_moment_ago_is_fine() -> None:
    asyncio.create_task(asyncio.sleep(3600)).cancel()


@pytest_asyncio.fixture
async def server() -> object:
    task = asyncio.create_task(asyncio.sleep(3600))
    yield task
    task.cancel()


async def test_stopped_by_its_fixture_is_fine(server: object) -> None:
    await asyncio.sleep(0)


async def test_ended_by_itself_is_fine() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0)
    assert not task.cancelled()
