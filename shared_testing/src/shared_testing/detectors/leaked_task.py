"""AT301: a task outlives the test that started it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.log_readers import reads_log
from shared_testing.findings import Finding, Rule
from shared_testing.findings.identity import identity

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
        "runs on after its owner was closed, or disappears with its errors when the loop ends.\n"
        "Told by the same code: a timer of loop.call_later() that is still set, a task that was destroyed as nobody\n"
        "held it, and a lock that a task took with it when it ended."
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
    not_seen=(
        "tasks that a wider fixture started, tasks that were cancelled but have not ended yet, those of asyncio.run()\n"
        "inside the test; the timers of uvloop, and one that only takes an entry out of a dict, set or list"
    ),
    other_loops="part",
)


_DESTROYED = "Task was destroyed but it is pending!"


class LeakedTask(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._scope: Scope | None = None
        # Weakly: a task that its program drops must die as it would without us. By identity: in the finalizer that
        # tells of a destroyed one, weak references are dead already.
        self._born: dict[int, tuple[weakref.ref[asyncio.Task[Any]], Site]] = {}
        self._destroyed: list[Finding] = []

    def install(self, observer: LoopObserver) -> None:
        observer.on_task.append(self._task_created)
        observer.on_error.append(self._task_destroyed)

    def uninstall(self) -> None:
        self._born.clear()

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._born.clear()
        self._destroyed.clear()

    def _task_created(self, task: asyncio.Task[Any], site: Site | None) -> None:
        # Not the test's own task, which has no user's line below it.
        if self._scope is None or self._scope.wider or site is None:
            self._born.pop(identity(task), None)
        else:
            self._born[identity(task)] = weakref.ref(task), site

    def _task_destroyed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> bool:
        """In the place of asyncio's line in the log, which is all that a program hears of it."""
        if context.get("message") != _DESTROYED or self._scope is None or reads_log(self._scope):
            return False
        if (born := self._born.pop(identity(context.get("task")), None)) is None:
            return False
        self._destroyed.append(
            Finding(
                RULE,
                f"task {_name_of(context['task'])!r} was destroyed in the middle",
                born[1],
                cause="nothing held it but the loop, which does so weakly: the garbage collector took it",
                fix="keep a reference to the task until it is done, or start it in an asyncio.TaskGroup",
            )
        )
        return True

    def closing(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> Iterable[Finding]:
        return [_finding(task, site) for task, site in self._left() if task.get_loop() is loop]

    def finish(self, scope: Scope) -> Iterable[Finding]:
        # Loops that are wider than the test are still open; what was left in the others has been told already.
        found = [_finding(task, site) for task, site in self._left() if not task.get_loop().is_closed()]
        found += self._destroyed
        self._born.clear()
        self._destroyed.clear()
        return found

    def _left(self) -> list[tuple[asyncio.Task[Any], Site]]:
        alive = [(task, site) for weak, site in list(self._born.values()) if (task := weak()) is not None]
        return [(task, site) for task, site in alive if not task.done() and not task.cancelling()]


def _finding(task: asyncio.Task[Any], site: Site) -> Finding:
    return Finding(RULE, f"task {_name_of(task)!r} is still running", site)


def _name_of(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", task.get_name())
