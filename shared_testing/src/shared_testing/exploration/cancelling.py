"""Cancel one task at one of its suspensions, once per run.

A cancellation comes from outside, like a timer, so it lands between two turns of the loop. It meets a task either while
it waits, or when what it waited for is there and it is about to run: in that moment a result is easily lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from shared_testing.exploration.tasks import has_begun, number_of
from shared_testing.loop.waits import frames_of, future_of, wait_of

if TYPE_CHECKING:
    import asyncio

    from shared_testing.exploration.loop import ExploringLoop
    from shared_testing.findings.site import Site

Point = tuple[int, int]
"""The number of a task, and of one of the moments in which it is suspended."""


class Cancelling:
    """Counts the points of a run, and cancels at one of them.

    `victim`: True for all tasks but the test's own; a name for the tasks of that name.
    """

    def __init__(self, victim: bool | str, at: Point | None = None) -> None:
        self._victim = victim
        self.at = at
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._seen: dict[int, tuple[int, object]] = {}
        self.points: dict[Point, object] = {}
        """Those of this run, each with what is the same where the same line waits in the same way."""
        self.names: set[str] = set()
        self.landed = ""
        """Whom it has cancelled, and where."""
        self.landed_at: Site | None = None

    def created(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)

    def after_batch(self, loop: ExploringLoop) -> None:
        if self.landed:
            return
        for task in sorted(self._tasks, key=lambda each: number_of(each, loop)):
            if task.done() or task in loop.mains or not self._is_victim(task):
                continue
            point = self._new_point(task, loop)
            if point is not None and point == self.at:
                self.landed_at = wait_of(task).site
                self.landed = f"{task.get_name()!r} was cancelled {_when(task)}"
                self.landed += f" at {self.landed_at}" if self.landed_at is not None else ""
                task.cancel()
                return

    def _is_victim(self, task: asyncio.Task[Any]) -> bool:
        self.names.add(task.get_name())
        return self._victim is True or task.get_name() == self._victim

    def _new_point(self, task: asyncio.Task[Any], loop: ExploringLoop) -> Point | None:
        """The task is suspended: has it been so when we last looked?"""
        future = future_of(task)
        if future is None and not has_begun(task):
            return None
        state = None if future is None else (future, future.done())
        number = number_of(task, loop)
        count, last = self._seen.get(number, (0, None))
        # A bare yield is over in each turn, and looks the same.
        if state is not None and state == last:
            return None
        self._seen[number] = count + 1, state
        point = number, count
        if self.at is None:
            self.points[point] = self._place(task, future)
        return point

    def _place(self, task: asyncio.Task[Any], future: asyncio.Future[Any] | None) -> object:
        frames = [(frame.f_code, frame.f_lineno) for frame in frames_of(task)]
        return tuple(frames), future is None or future.done()


def _when(task: asyncio.Task[Any]) -> str:
    future = future_of(task)
    return "while it waited" if future is not None and not future.done() else "when it was about to go on"
