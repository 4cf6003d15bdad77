"""Tasks that outlive their test."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import pytest
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


async def test_by_the_loop() -> None:
    asyncio.get_running_loop().create_task(asyncio.sleep(3600))  # !! AT301
    asyncio.ensure_future(asyncio.sleep(3600))  # !! AT301
    await asyncio.sleep(0)


async def test_by_gather() -> None:
    together = asyncio.gather(asyncio.sleep(3600), asyncio.sleep(7200))  # !! AT301
    await asyncio.sleep(0)
    assert not together.done()


async def test_by_a_shield_that_timed_out() -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asyncio.sleep(3600)), 0.01)  # !! AT301


async def test_groups_and_gathers_that_end_are_fine() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(3600), 0.01)


async def test_a_task_that_nothing_holds() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    asyncio.create_task(wait_for_ever())  # !! AT301
    await asyncio.sleep(0)
    gc.collect()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heart() -> object:
    async def beat() -> None:
        while True:
            await asyncio.sleep(0.01)

    loop = asyncio.get_running_loop()
    task, timer = asyncio.create_task(beat()), loop.call_later(3600, print)
    yield task
    timer.cancel()
    task.cancel()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_wider_fixture_started_is_fine(heart: object) -> None:
    await asyncio.sleep(0)


@pytest.mark.asyncio(loop_scope="module")
async def test_on_a_wider_loop(heart: object) -> None:
    asyncio.create_task(asyncio.sleep(3600)).set_name("left")  # !! AT301
    asyncio.get_running_loop().call_later(3600, print)  # !! AT301


class Debounce:
    def __init__(self) -> None:
        self.calls = 0

    def call(self) -> None:
        loop = asyncio.get_running_loop()
        self.timer = loop.call_later(3600, self.fire)  # !! AT301

    def fire(self) -> None:
        self.calls += 1


async def test_a_timer() -> None:
    Debounce().call()


async def test_a_timer_at_a_moment() -> None:
    loop = asyncio.get_running_loop()
    loop.call_at(loop.time() + 3600, print)  # !! AT301


async def test_timers_that_fired_or_were_cancelled_are_fine() -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(0, int)
    loop.call_later(3600, print).cancel()
    fired = asyncio.Event()
    loop.call_later(0.001, fired.set)
    await fired.wait()


async def test_an_entry_that_expires_is_fine() -> None:
    """It holds data, and runs none of the program's code: no maintainer would cancel each one."""
    cache, seen = {"key": "value"}, {"key"}
    loop = asyncio.get_running_loop()
    loop.call_later(3600, cache.pop, "key", None)
    loop.call_later(3600, seen.discard, "key")


async def test_the_timers_of_asyncio_are_fine() -> None:
    async with asyncio.timeout(3600), asyncio.timeout_at(asyncio.get_running_loop().time() + 3600):
        await asyncio.wait_for(asyncio.sleep(0.001), 3600)


async def test_a_leaked_task_is_the_only_cause() -> None:
    async def work() -> None:
        timer = asyncio.get_running_loop().call_later(3600, print)
        try:
            await asyncio.sleep(3600)
        finally:
            timer.cancel()

    task = asyncio.create_task(work())  # !! AT301
    await asyncio.sleep(0)
    assert not task.done()


class Store:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def save(self, value: int) -> None:
        await self.lock.acquire()  # !! AT301
        if value < 0:
            return
        self.lock.release()

    async def load(self) -> int:
        async with self.lock:
            return 1


stores: list[Store] = []


async def test_a_lock() -> None:
    stores.append(Store())
    await stores[0].save(-1)


async def test_locks_that_are_released_are_fine() -> None:
    stores.append(Store())
    await stores[-1].save(1)
    assert await stores[-1].load() == 1


async def test_a_lock_that_the_test_itself_holds_is_fine() -> None:
    store = Store()
    await store.lock.acquire()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(store.load(), 0.01)


def test_innocent() -> None:
    stores.clear()
    gc.collect()
