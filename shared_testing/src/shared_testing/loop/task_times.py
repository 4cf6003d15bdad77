"""When each task of a test ran, and when it waited: so that what was meant to run at once is seen to have done so.

Installed only when somebody wants to see it. Nothing of it keeps a task alive, calls its code, or gives it a callback.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from shared_testing.evidence.harmless import harmless
from shared_testing.findings.site import is_users, site_of_frame
from shared_testing.loop.waits import frames_of, name_of
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from shared_testing.findings.site import Site
    from shared_testing.loop.observer import LoopObserver

# What runs a loop has tasks of its own: asyncio's shutdown of generators and threads, our own last look.
_HOUSEKEEPERS = (str(Path(asyncio.__file__).parent), str(Path(__file__).parent.parent))
_HOUSEKEEPING = frozenset({"shutdown_asyncgens", "shutdown_default_executor", "look"})
# What pytest-asyncio wraps around a fixture keeps its own name if the fixture never waits: then nothing is to be seen.
_WRAPPERS = frozenset({"setup", "async_finalizer"})

MOST_TASKS = 20
"""So many tasks of a test are kept; of the others their number."""
MOST_STEPS = 100
"""The same for steps, of all tasks of the test."""


@dataclass(slots=True, eq=False)
class TaskTime:
    """One task."""

    name: str
    created: float
    """Seconds since the first task of its loop, by the clock of the loop, which may be virtual."""
    site: Site | None
    """The user's line that made it."""
    is_outermost: bool
    """No task has made it: it is the test's own, or a fixture's."""
    is_kept: bool = True
    """False for one beyond the limit, which is only counted."""
    ended: float | None = None
    steps: list[tuple[float, float, Site | None]] = field(default_factory=list)
    """When it ran, from and to, and where it has waited from then on; None when it has ended."""


@dataclass(slots=True)
class TaskTimes:
    """All tasks of one test."""

    tasks: list[TaskTime] = field(default_factory=list)
    more_tasks: int = 0
    more_steps: int = 0
    made: int = 0
    """How many tasks other tasks have made."""
    most_at_once: int = 0
    """How many of them were there at the same time: made, and not at their end."""
    waits: int = 0
    """How often the test's own function has waited."""
    until: float = 0.0

    def __str__(self) -> str:
        """What is to be seen, in one sentence."""
        if self.made:
            tasks = "1 task" if self.made == 1 else f"{self.made} tasks"
            if self.made == 1:
                return f"{tasks} beside the test's own"
            if self.most_at_once == 1:
                return f"{tasks} beside the test's own, never more than 1 at a time: one after another"
            return f"{tasks} beside the test's own, up to {self.most_at_once} at a time"
        if self.waits:
            times = "once" if self.waits == 1 else f"{self.waits} times, one after another"
            return f"no task but the test's own, which waits {times}"
        return "no task but the test's own, which never waits"


class TaskRecorder:
    """Fills a :class:`TaskTimes` for each test."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._times = TaskTimes()
        self._is_open = False
        self._known: WeakKeyDictionary[asyncio.Task[Any], TaskTime] = WeakKeyDictionary()
        self._bases: WeakKeyDictionary[asyncio.AbstractEventLoop, float] = WeakKeyDictionary()
        self._unseen: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._at_once = 0
        self._steps = 0
        self.counts_waits = False
        """The test's own function runs: neither its fixtures nor their end."""

    def install(self, observer: LoopObserver) -> None:
        self._patches.set(asyncio.Handle, "_run", self._timed(asyncio.Handle._run))
        observer.on_task.append(self._created)

    def uninstall(self) -> None:
        self._patches.undo()

    def begin(self) -> None:
        """A test begins."""
        self._known.clear()
        self._bases.clear()
        self._at_once = self._steps = 0
        self._times, self._is_open, self.counts_waits = TaskTimes(), True, False

    def pause(self) -> None:
        """What comes now is no part of the test."""
        self._is_open = False

    def end(self) -> TaskTimes | None:
        """What was seen since `begin`; None if there was no task."""
        times, self._times, self._is_open = self._times, TaskTimes(), False
        self._known.clear()
        times.tasks = [each for each in times.tasks if not (each.is_outermost and each.name in _WRAPPERS)]
        return times if times.tasks else None

    def _created(self, task: asyncio.Task[Any], site: Site | None) -> None:
        loop = task.get_loop()
        # uvloop runs its callbacks itself: there a task would be seen to begin, and never to end.
        if self._is_open and isinstance(loop, asyncio.BaseEventLoop):
            by = asyncio.current_task(loop) if asyncio._get_running_loop() is loop else None
            self._add(task, self._now(loop), site, is_outermost=by is None)

    def _now(self, loop: asyncio.AbstractEventLoop) -> float:
        now = loop.time()
        return now - self._bases.setdefault(loop, now)

    def _add(self, task: asyncio.Task[Any], now: float, site: Site | None, *, is_outermost: bool) -> TaskTime | None:
        times = self._times
        if site is None and _is_housekeeping(task):
            self._unseen.add(task)
            return None
        is_kept = len(times.tasks) < MOST_TASKS
        time = self._known[task] = TaskTime(_label(task), now, site, is_outermost, is_kept)
        if not is_outermost:
            times.made += 1
            self._at_once += 1
            times.most_at_once = max(times.most_at_once, self._at_once)
        if is_kept:
            times.tasks.append(time)
        else:
            times.more_tasks += 1
        times.until = max(times.until, now)
        return time

    def _timed(self, run: Any) -> Any:
        def _run(handle: Any) -> None:
            step = self._begins(handle) if self._is_open else None
            try:
                run(handle)
            finally:
                if step is not None:
                    self._ended(*step)
                # As asyncio does: an exception's frames lead here, and must not keep the handle alive.
                del handle, step

        return _run

    @harmless(None)
    def _begins(self, handle: Any) -> tuple[asyncio.Task[Any], TaskTime, float] | None:
        """The task whose step it is, if it is one's, and when."""
        task = getattr(handle._callback, "__self__", None)
        if not isinstance(task, asyncio.Task) or task in self._unseen:
            return None
        loop = task.get_loop()
        is_first = loop not in self._bases
        now, time = self._now(loop), self._known.get(task)
        if time is None:
            # Its loop is not watched: that of an asyncio.run() in the test.
            time = self._add(task, now, None, is_outermost=is_first)
            if time is None:
                return None
        elif not time.steps:
            # asyncio.create_task(name=...) gives the name when it has the task.
            time.name = _label(task)
        return task, time, now

    @harmless(None)
    def _ended(self, task: asyncio.Task[Any], time: TaskTime, began: float) -> None:
        times, now = self._times, self._now(task.get_loop())
        times.until = max(times.until, now)
        if done := task.done():
            if time.ended is None:
                self._at_once -= not time.is_outermost
            time.ended = now
        elif time.is_outermost and self.counts_waits:
            times.waits += 1
        if not time.is_kept:
            return
        if not done and not time.steps:
            # What pytest-asyncio wraps around a fixture has come to the fixture by now.
            time.name = _label(task)
        if self._steps >= MOST_STEPS:
            times.more_steps += 1
        else:
            self._steps += 1
            time.steps.append((began, now, None if done else _site(task)))


def _is_housekeeping(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_name in _HOUSEKEEPING and code.co_filename.startswith(_HOUSEKEEPERS)


def _label(task: asyncio.Task[Any]) -> str:
    own = task.get_name()
    return name_of(task) if own.startswith("Task-") else own


def _site(task: asyncio.Task[Any]) -> Site | None:
    """The user's line that waits, of the task's own function: ``await fetch(1)``, and not what lies below it."""
    frame = next((frame for frame in frames_of(task) if is_users(frame.f_code.co_filename)), None)
    return site_of_frame(frame) if frame is not None else None
