"""Tasks that have a number, so that a run is the same in each process.

Code that goes through a set of tasks (``asyncio.wait`` returns two, a TaskGroup cancels one) meets them in the order of
their hashes, and a task's hash is its address. A number in its place makes that order the same each time.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from shared_testing.exploration.loop import ExploringLoop

_NUMBER = "_shared_testing_number"


class NumberedTask(asyncio.Task[Any]):
    """An ordinary task, whose hash is its number."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, number: int, **kwargs: Any) -> None:
        self._shared_testing_number = number
        super().__init__(coro, **kwargs)

    def __hash__(self) -> int:
        return self._shared_testing_number


# What it is called in logs and reports: it is one, to everybody else.
NumberedTask.__name__ = NumberedTask.__qualname__ = "Task"


def number_of(task: asyncio.Task[Any], loop: ExploringLoop) -> int:
    """In the order of creation. A task of somebody else's factory gets its number when it is first met."""
    number: int | None = getattr(task, _NUMBER, None)
    if number is None:
        number = loop.next_number()
        setattr(task, _NUMBER, number)
    return number


def has_begun(task: asyncio.Task[Any]) -> bool:
    """Whether it has run its first step."""
    coroutine = task.get_coro()
    return not inspect.iscoroutine(coroutine) or inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED
