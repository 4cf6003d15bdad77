"""Who waits for what: read from the coroutines of suspended tasks, which need not have been watched before."""

from __future__ import annotations

import asyncio
import gc
import inspect
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from shared_testing.findings.site import is_users, site_of_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from shared_testing.findings.site import Site

_ASYNCIO = str(Path(asyncio.__file__).parent)
_FRAMES = {types.CoroutineType: "cr_frame", types.GeneratorType: "gi_frame", types.AsyncGeneratorType: "ag_frame"}
_SUSPENDABLE = tuple(_FRAMES)

# A coroutine that awaits itself in a circle cannot be suspended; this only guards the walk.
_DEEPEST = 200


class Wait:
    """One suspended task, and what it waits for."""

    __slots__ = ("frames", "on", "site", "task", "verb")

    def __init__(
        self, task: asyncio.Task[Any], frames: tuple[FrameType, ...], site: Site | None, on: object, verb: str
    ) -> None:
        self.task = task
        self.frames = frames
        """The task's coroutines, outermost first."""
        self.site = site
        """The user's line that waits."""
        self.on = on
        """A primitive of asyncio, a task, or a future; None when it cannot be seen."""
        self.verb = verb
        """What it does with that: ``acquire``, ``get``, ``join``."""


def suspended_in(loop: asyncio.AbstractEventLoop) -> list[Wait]:
    """What every task of the loop waits for, oldest task first."""
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
    return [wait_of(task) for task in sorted(tasks, key=_age)]


def wait_of(task: asyncio.Task[Any]) -> Wait:
    frames = tuple(frames_of(task))
    mine = [number for number, frame in enumerate(frames) if is_users(frame.f_code.co_filename)]
    site = site_of_frame(frames[mine[-1]]) if mine else None
    on, verb = _primitive(frames[mine[-1] + 1 :] if mine else frames)
    if on is None:
        on, verb = future_of(task), "await"
    return Wait(task, frames, site, on, verb)


def frames_of(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """The frames of the task's coroutine and of those it awaits, outermost first."""
    for each in suspended_coroutines(task):
        if (frame := frame_of(each)) is not None:
            yield frame


def frame_of(coroutine: Any) -> FrameType | None:
    """That of a coroutine, a generator or an async generator, while it has one."""
    return cast("FrameType | None", getattr(coroutine, _FRAMES[type(coroutine)]))


def suspended_coroutines(task: asyncio.Task[Any]) -> Iterator[Any]:
    """The task's coroutine and those it awaits, outermost first."""
    current: Any = task.get_coro()
    for _ in range(_DEEPEST):
        if current is None:
            return
        if isinstance(current, _SUSPENDABLE):
            yield current
            current = _awaited(current)
        else:
            # What stands between: a coroutine's `__await__`, or the step of an asynchronous generator.
            current = next((each for each in gc.get_referents(current) if isinstance(each, _SUSPENDABLE)), None)


def future_of(task: asyncio.Task[Any]) -> asyncio.Future[Any] | None:
    """The future that will wake the task; None while it is about to run."""
    return cast("asyncio.Future[Any] | None", getattr(task, "_fut_waiter", None))


def name_of(task: asyncio.Task[Any]) -> str:
    """What its user calls it: the function that it runs, below what pytest-asyncio wraps around a fixture."""
    coroutine: Any = task.get_coro()
    name = getattr(coroutine, "__qualname__", None) or task.get_name()
    if "_fixture" in name:
        name = next((each.f_code.co_qualname for each in frames_of(task) if is_users(each.f_code.co_filename)), name)
    return str(name).rpartition("<locals>.")[2]


def _awaited(coroutine: Any) -> Any:
    if inspect.iscoroutine(coroutine):
        return coroutine.cr_await
    return coroutine.gi_yieldfrom if inspect.isgenerator(coroutine) else coroutine.ag_await


def _primitive(frames: tuple[FrameType, ...]) -> tuple[object, str]:
    """The object of asyncio in whose method the user's frame waits."""
    found: tuple[object, str] = (None, "")
    for frame in frames:
        if not frame.f_code.co_filename.startswith(_ASYNCIO):
            continue
        owner = frame.f_locals.get("self")
        if found[0] is None and owner is not None:
            found = owner, frame.f_code.co_name
        # A condition that was notified waits for its lock.
        elif isinstance(found[0], asyncio.Condition) and isinstance(owner, asyncio.Lock):
            found = owner, "acquire"
        elif found[0] is None and (group := frame.f_locals.get("fs") or frame.f_locals.get("fut")) is not None:
            found = group, frame.f_code.co_name
    return found


def awaited_tasks(on: object) -> list[asyncio.Task[Any]]:
    """The unfinished tasks whose end is waited for."""
    if isinstance(on, asyncio.Task):
        found: list[Any] = [on]
    elif isinstance(on, asyncio.TaskGroup):
        found = list(on._tasks)
    elif isinstance(on, (set, frozenset, list, tuple)):
        found = list(on)
    else:
        # gather() keeps what it gathers.
        found = list(getattr(on, "_children", ()))
    tasks = [each for each in found if isinstance(each, asyncio.Task) and not each.done()]
    return sorted(tasks, key=_age)


def _age(task: asyncio.Task[Any]) -> tuple[int, str]:
    name = task.get_name()
    number = name.rpartition("-")[2]
    return (int(number), name) if number.isdigit() else (0, name)
