"""Tests that fail because tasks write over each other, and tests that fail for other reasons. All of them fail."""

from __future__ import annotations

import asyncio

import pytest


class Counter:
    def __init__(self) -> None:
        self.count = 0
        self.lock = asyncio.Lock()

    async def increment(self) -> None:
        current = self.count
        await asyncio.sleep(0.001)
        self.count = current + 1  # !! AT401

    async def add(self, number: int) -> None:
        self.count += await asyncio.sleep(0.001, number)  # !! AT401

    async def increment_safely(self) -> None:
        async with self.lock:
            current = self.count
            await asyncio.sleep(0.001)
            self.count = current + 1

    async def increment_at_once(self) -> None:
        await asyncio.sleep(0.001)
        current = self.count
        self.count = current + 1

    async def increment_after_all(self) -> None:
        current = self.count
        await asyncio.sleep(0.001)
        current = self.count
        self.count = current + 1

    async def increment_alone(self) -> None:
        current = self.count
        await asyncio.sleep(0.001)
        self.count = current + 1


async def test_a_counter() -> None:
    counter = Counter()
    await asyncio.gather(*(counter.increment() for _ in range(3)))
    assert counter.count == 3


async def work(counter: Counter) -> None:
    for number in range(2):
        await counter.add(number)


async def test_in_one_expression_below_the_tasks_own_function() -> None:
    counter = Counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(work(counter))
    assert counter.count == 3


balance = {"a": 100}


async def deposit(number: int) -> None:
    before = balance["a"]
    await asyncio.sleep(0)
    balance["a"] = before + number  # !! AT401


async def test_an_item_of_a_global() -> None:
    await asyncio.gather(deposit(10), deposit(20))
    now, balance["a"] = balance["a"], 100
    assert now == 130


class TestThatFailForOtherReasons:
    pytestmark = pytest.mark.xfail(strict=True)

    async def test_a_lock_is_fine(self) -> None:
        counter = Counter()
        await asyncio.gather(counter.increment_safely(), counter.increment_safely())
        assert counter.count == 3

    async def test_a_read_after_the_await_is_fine(self) -> None:
        counter = Counter()
        await asyncio.gather(counter.increment_at_once(), counter.increment_at_once())
        await asyncio.gather(counter.increment_after_all(), counter.increment_after_all())
        assert counter.count == 3

    async def test_one_after_the_other_is_fine(self) -> None:
        counter = Counter()
        await asyncio.create_task(counter.increment_alone())
        await asyncio.create_task(counter.increment_alone())
        assert counter.count == 3
