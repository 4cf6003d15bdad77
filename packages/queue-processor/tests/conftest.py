"""What the tests of this package share: a handler that keeps the books, and exact places to cancel at."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import QueueProcessor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


class Ledger:
    """A handler that yields `steps` times and writes down what it started and finished."""

    def __init__(self, steps: int = 2, fail: Iterable[Any] = ()) -> None:
        self.steps = steps
        self.fail = set(fail)
        self.started: Counter[Any] = Counter()
        self.done: Counter[Any] = Counter()
        self.running = 0
        self.peak = 0

    async def __call__(self, item: Any) -> Any:
        self.started[item] += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            for _ in range(self.steps):
                await asyncio.sleep(0)
        finally:
            self.running -= 1
        if item in self.fail:
            raise ValueError(f"bad {item}")
        self.done[item] += 1
        return f"done_{item}"


@pytest.fixture
def ledger() -> type[Ledger]:
    """The class, as each test makes its own."""
    return Ledger


@pytest.fixture
def turns() -> Callable[[int], Awaitable[None]]:
    """``await turns(k)``: let everybody else have k turns of the event loop."""

    async def wait(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    return wait


@pytest.fixture
def reap() -> Callable[..., Awaitable[None]]:
    """``await reap(task, …)``: cancel what still runs, and wait for all of it, whatever it raises."""

    async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    return cancel_and_wait


@pytest.fixture
def make() -> type[QueueProcessor[Any, Any]]:
    """The class under test."""
    return QueueProcessor
