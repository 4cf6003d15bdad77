"""Where a run's results go: kept until the end, handed out as they come, or handed out in input order.

`put` is called by the workers and never waits; a worker makes sure that there is room before it starts a task.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from task_queue.result import TaskResult


class Outlet(Protocol):
    """`put` takes a result and its task's position in the input."""

    @property
    def put(self) -> Callable[[int, TaskResult], object]: ...

    def wake(self) -> None:
        """Nothing more may come: let whoever waits for a result look again."""

    def close(self) -> None:
        """The run is being stopped: what comes from now on is for the record only."""


class Kept:
    """All results, in the order in which the tasks ended."""

    def __init__(self) -> None:
        self._results: dict[int, TaskResult] = {}
        self.put: Callable[[int, TaskResult], object] = self._results.__setitem__

    def wake(self) -> None:
        """Nobody waits for a single result here."""

    def close(self) -> None:
        """This is the record."""

    def as_they_ended(self) -> list[TaskResult]:
        return list(self._results.values())

    def in_order(self) -> list[TaskResult]:
        """In the order of the input. Only for a run that came to its end: then no position is missing."""
        return [self._results[position] for position in range(len(self._results))]


class _Awaited:
    """One consumer waits for the next result."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self) -> None:
        """Return when there may be something new."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None


class AsCompleted(_Awaited):
    """Results in the order in which the tasks ended."""

    def __init__(self) -> None:
        super().__init__()
        self._ready: list[TaskResult] = []
        self._end: int | None = None

    def put(self, _position: int, result: TaskResult) -> None:
        self._ready.append(result)
        if self._waiting is not None:
            self.wake()

    def close(self) -> None:
        self._end = len(self._ready)

    @property
    def ready(self) -> bool:
        """Whether there is a result to take."""
        return bool(self._ready[: self._end])

    def take(self) -> Iterable[TaskResult]:
        """The results that are there. Others may come while they are handed on."""
        ready, self._ready = self._ready[: self._end], []
        if self._end is not None:
            self._end = 0
        return ready


class InOrder(_Awaited):
    """Results in the order of the input."""

    def __init__(self) -> None:
        super().__init__()
        self._early: dict[int, TaskResult] = {}
        self._next = 0
        self._end = float("inf")

    def put(self, position: int, result: TaskResult) -> None:
        self._early[position] = result
        if self._waiting is not None and position == self._next:
            self.wake()

    def close(self) -> None:
        self._end = self._next
        while self._end in self._early:
            self._end += 1

    @property
    def ready(self) -> bool:
        """Whether there is a result to take."""
        return self._next < self._end and self._next in self._early

    def take(self) -> Iterable[TaskResult]:
        """The results that are there, up to the first that is not."""
        while self.ready:
            self._next += 1
            yield self._early.pop(self._next - 1)
