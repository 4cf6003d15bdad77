"""Words for tasks and what they wait for."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from shared_testing.loop.waits import Wait, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERBS = {
    "Lock": "waits for a Lock",
    "Semaphore": "waits for a Semaphore",
    "Event": "waits for an Event",
    "Condition": "waits for a Condition",
    "TaskGroup": "waits for the tasks of a TaskGroup",
    "Future": "waits for a Future",
    "Task": "waits for a task",
}


def names(tasks: Sequence[asyncio.Task[Any]]) -> dict[asyncio.Task[Any], str]:
    """The name of each task's coroutine; with the task's own where several run the same."""
    counted = Counter(map(name_of, tasks))
    return {
        task: name if counted[name] == 1 else f"{name} ({task.get_name()})"
        for task, name in zip(tasks, map(name_of, tasks), strict=True)
    }


def kind_of(on: object) -> str:
    """The class of asyncio's that it is or comes from."""
    for kind in type(on).__mro__:
        if kind.__module__.startswith(("asyncio", "_asyncio")):
            return kind.__name__
    return type(on).__name__


def what(wait: Wait) -> str:
    """What a task does there, in words."""
    kind = kind_of(wait.on)
    if isinstance(wait.on, asyncio.Queue):
        return {"get": "waits for an item of a Queue", "put": "waits for room in a Queue"}.get(
            wait.verb, "waits for a Queue to be joined"
        )
    if wait.on is None:
        return "is about to run"
    if kind == "_GatheringFuture" or isinstance(wait.on, (set, frozenset, list, tuple)):
        return "waits for several tasks"
    return _VERBS.get(kind, f"waits in {kind}.{wait.verb}()")


def outcome(task: asyncio.Task[Any] | None) -> str:
    """How a task ended."""
    if task is None or not task.done():
        return "ended"
    if task.cancelled():
        return "was cancelled"
    # Not exception(): that would count as having looked at it.
    error = getattr(task, "_exception", None)
    return f"ended with {type(error).__name__}" if error is not None else "ended"
