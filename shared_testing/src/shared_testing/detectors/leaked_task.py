"""AT301: a task outlives the test that started it."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from shared_testing.findings import Finding, Rule, user_site

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Site
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT301",
    title="task still running at the end",
    cause="asyncio.create_task() returned a task that nobody awaited or cancelled",
    fix="keep the task and cancel it on close, or start it in an asyncio.TaskGroup",
    explanation=(
        "When a test ends, pytest-asyncio cancels what still runs, silently. In production nobody does: the task\n"
        "runs on after its owner was closed, or disappears with its errors when the loop ends."
    ),
    bad="""
class Queue:
    def start(self):
        asyncio.create_task(self._poll())
""",
    good="""
class Queue:
    async def __aenter__(self):
        self._poller = asyncio.create_task(self._poll())
        return self

    async def __aexit__(self, *_):
        self._poller.cancel()
        await asyncio.wait([self._poller])
""",
    lint="RUF006 (ruff) sees a task that is not even kept",
    not_seen="tasks that a wider fixture started, and tasks that were cancelled but have not ended yet",
)


class LeakedTask:
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._scope: Scope | None = None
        # Weakly: a task that its program drops must die as it would without us.
        self._born: weakref.WeakKeyDictionary[asyncio.Task[Any], Site] = weakref.WeakKeyDictionary()

    def install(self, observer: LoopObserver) -> None:
        observer.on_task.append(self._task_created)

    def uninstall(self) -> None:
        self._born.clear()

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._born.clear()

    def _task_created(self, task: asyncio.Task[Any]) -> None:
        # Not the test's own task, which has no user's line below it.
        if self._scope is not None and (site := user_site(sys._getframe(2))) is not None:
            self._born[task] = site

    def closing(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> Iterable[Finding]:
        return [self._finding(task) for task in list(self._born) if task.get_loop() is loop and _is_left(task)]

    def finish(self, scope: Scope) -> Iterable[Finding]:
        # Loops that are wider than the test are still open; what was left in the others has been told already.
        left = [self._finding(task) for task in list(self._born) if _is_left(task) and not task.get_loop().is_closed()]
        self._born.clear()
        return left

    def _finding(self, task: asyncio.Task[Any]) -> Finding:
        name = getattr(task.get_coro(), "__qualname__", task.get_name())
        return Finding(RULE, f"task {name!r} is still running", self._born[task])


def _is_left(task: asyncio.Task[Any]) -> bool:
    return not task.done() and not task.cancelling()
