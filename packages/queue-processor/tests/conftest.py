"""What the tests of this package share: a handler that keeps the books, and exact places to cancel at."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import MemoryQueue, QueueProcessor, QueueUnavailable
from shared_testing import ScriptedTask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


# How many processes at least: most of what these tests do is to wait for leases that run out.
_PROCESSES = 5


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    return _PROCESSES if (os.cpu_count() or 1) < _PROCESSES else None


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


class Line:
    """A queue as one worker sees it: passed on to, unless the line is `down`, or the worker `dead` and not heard of."""

    def __init__(self, queue: MemoryQueue) -> None:
        self.queue = queue
        self.lease = queue.lease
        self.max_deliveries = queue.max_deliveries
        self.down = False
        self.dead = False
        self.broken: Exception | None = None
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.queue, name)

        async def call(*arguments: Any) -> Any:
            if self.dead:
                await asyncio.Event().wait()
            self.calls.append((name, arguments))
            if self.down:
                raise QueueUnavailable("the server is away")
            if self.broken is not None:
                raise self.broken
            return await method(*arguments)

        return call

    def sizes(self, name: str) -> list[int]:
        """How many arguments each call of that name had; of get_batch: how many messages were asked for."""
        calls = [arguments for called, arguments in self.calls if called == name]
        return [arguments[0] if name == "get_batch" else len(arguments) for arguments in calls]


@pytest.fixture
def line_to() -> type[Line]:
    """``line_to(queue)``: a line to it that can break."""
    return Line


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


@pytest.fixture
def lease(request: pytest.FixtureRequest) -> float:
    """Seconds. Each test of the contract waits for some of them to run out; most leave a busy machine time before."""
    return 0.05 if request.node.get_closest_marker("leases_run_out") else 0.3
