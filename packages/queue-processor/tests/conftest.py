"""What the tests of this package share: a handler that keeps the books, and exact places to cancel at."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import QueueProcessor
from shared_testing import ScriptedTask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


class Ledger(ScriptedTask[str]):
    """A handler that yields `steps` times, fails for some items, and knows which ones it started and finished."""

    def __init__(self, steps: int = 2, fail: Iterable[Any] = ()) -> None:
        failing, self.done = set(fail), Counter[Any]()

        async def behave(_attempt: int, item: Any) -> str:
            for _ in range(steps):
                await asyncio.sleep(0)
            if item in failing:
                raise ValueError(f"bad {item}")
            self.done[item] += 1
            return f"done_{item}"

        super().__init__(f"ledger(steps={steps})", behave)

    @property
    def started(self) -> Counter[Any]:
        return Counter(item for (item,), _ in self.arguments)


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
