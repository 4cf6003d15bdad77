"""AT403: a task was cancelled, and did not end."""

from __future__ import annotations

import asyncio
import sys
from asyncio import runners, timeouts
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from shared_testing.detectors import deadlock
from shared_testing.detectors.detector import Detector
from shared_testing.evidence.cancellations import Cancellations, Request
from shared_testing.findings import Finding, Rule, user_site
from shared_testing.loop import ending
from shared_testing.loop.ending import Stuck, end, has_been_ended, leave
from shared_testing.loop.standstill import main_future, nothing_can_wake
from shared_testing.loop.waits import Wait, awaited_tasks, name_of, wait_of
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT403",
    title="cancellation swallowed",
    cause="this line catches CancelledError and goes on, so that nobody can stop the task",
    fix="clean up, then 'raise'; or catch Exception, which CancelledError is not",
    explanation=(
        "A timeout, a TaskGroup and a shutdown all stop a task by one CancelledError. Who catches it and returns\n"
        "turns a timeout into a normal result; who catches it in a loop makes the program hang when it is to end."
    ),
    bad="""
async def lookup():
    try:
        return await backend.get()
    except asyncio.CancelledError:
        return None
""",
    good="""
async def lookup():
    try:
        return await backend.get()
    except asyncio.CancelledError:
        await backend.abort()
        raise
""",
    lint="ASYNC103 (flake8-async) sees handlers that do not raise",
    not_seen=(
        "a handler that nothing cancelled while it was in charge (the exploration with --cancel cancels everywhere);\n"
        "a task whose own function ends quietly when it is cancelled, which is a common way to stop a worker;\n"
        "on uvloop, a wait that never ends is not ended"
    ),
    other_loops="part",
)

_EXPIRING = vars(timeouts)["_State"].EXPIRING

# Seconds after which a task that was cancelled, caught that and works on is not waited for any longer.
_PATIENCE = 1.0


class SwallowedCancellation(Detector):
    """Sees timeouts that expired in vain, and tasks that run on; ends the test that waits for one."""

    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._patches = Patches()
        self._cancellations = Cancellations()
        self._scope: Scope | None = None
        self._found: list[Finding] = []
        self._closing: asyncio.AbstractEventLoop | None = None
        self._told: WeakSet[asyncio.Task[Any]] = WeakSet()

    def install(self, observer: LoopObserver) -> None:
        observer.on_cancel.append(self._cancellations.asked)
        observer.before_collection.append(self._cancellations.forget_the_good)
        observer.on_pulse.append(self._loop_runs)
        # Before the deadlock's: what looks like one may be a task that does not end.
        observer.on_standstill.insert(0, self._loop_stands_still)
        ending.install(observer, self._patches)
        self._patches.set(timeouts.Timeout, "__aexit__", self._observed_exit(timeouts.Timeout.__aexit__))
        self._patches.set(runners, "_cancel_all_tasks", self._observed_cancel_all(vars(runners)["_cancel_all_tasks"]))

    def uninstall(self) -> None:
        self._patches.undo()

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._found.clear()
        self._cancellations.requests.clear()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        for request in self._cancellations.requests:
            self._tell_of(request)
        self._cancellations.requests.clear()
        found, self._found, self._scope = self._found, [], None
        return found

    def _tell(self, finding: Finding) -> None:
        # A task that is asked twice, or a worker of many, is one cause.
        if all(each.site != finding.site for each in self._found):
            self._found.append(finding)

    def _tell_of(self, request: Request) -> None:
        """Not again, in a later test of the same loop, which cancels what is left when it is closed."""
        if request.task not in self._told:
            self._told.add(request.task)
            self._tell(_went_on(request))

    # ------------------------------------------------------------------ timeouts

    def _observed_exit(self, aexit: Callable[..., Any]) -> Callable[..., Any]:
        def observed_aexit(timeout: Any, exc_type: Any, exc_val: Any, exc_tb: Any) -> Any:
            if exc_type is None and timeout._state is _EXPIRING:
                self._expired_in_vain(timeout)
            return aexit(timeout, exc_type, exc_val, exc_tb)

        return observed_aexit

    def _expired_in_vain(self, timeout: Any) -> None:
        task = timeout._task
        requests = [each for each in reversed(self._cancellations.requests) if each.task is task]
        request, site = next(((each, site) for each in requests if (site := each.catcher())), (None, None))
        if request is None or site is None:
            return
        request.kept = None
        deadline = user_site(sys._getframe(2))
        self._tell(
            Finding(
                RULE,
                f"{site.function!r} swallowed the cancellation of a timeout that was over",
                site,
                cause="the timeout cancelled the task, this line caught that, and so no TimeoutError was raised",
                details=(f"the timeout is that of {deadline}",) if deadline is not None else (),
            )
        )

    # ------------------------------------------------------------------ waiting for one that does not end

    def _loop_runs(self, loop: asyncio.AbstractEventLoop, _: int) -> None:
        __tracebackhide__ = True
        if self._scope is not None and self._cancellations.requests:
            self._end_the_wait(loop, monotonic() - _PATIENCE)

    def _loop_stands_still(self, loop: asyncio.AbstractEventLoop, _: int) -> None:
        __tracebackhide__ = True
        if self._scope is None or not nothing_can_wake(loop):
            return
        if self._closing is loop:
            self._report_the_rest(loop)
            leave(_WHY)
        self._end_the_wait(loop, monotonic())

    def _end_the_wait(self, loop: asyncio.AbstractEventLoop, since: float) -> None:
        """The main task waits for one that was cancelled before `since`, and works on: nobody ever ends that."""
        __tracebackhide__ = True
        main = main_future(loop)
        if main is None or main.done():
            return
        waited = [main, *awaited_tasks(wait_of(main).on)] if isinstance(main, asyncio.Task) else awaited_tasks(main)
        for task in waited:
            request = self._cancellations.kept_by(task) if isinstance(task, asyncio.Task) else None
            if request is not None and request.at <= since:
                self._tell_of(request)
                if self._closing is loop:
                    leave(_WHY)
                end(main, _WHY)
                break

    def _observed_cancel_all(self, cancel_all: Callable[..., None]) -> Callable[..., None]:
        def observed_cancel_all(loop: asyncio.AbstractEventLoop) -> None:
            self._closing, before = loop, self._closing
            try:
                cancel_all(loop)
            except (Stuck, RecursionError):
                for task in asyncio.all_tasks(loop):
                    _abandon(task)
            finally:
                self._closing = before

        return observed_cancel_all

    def _report_the_rest(self, loop: asyncio.AbstractEventLoop) -> None:
        for task in asyncio.all_tasks(loop):
            wait = wait_of(task)
            if (request := self._cancellations.kept_by(task)) is not None:
                self._tell_of(request)
            # Who waits for another task is no cause, and who was ended has been told of.
            elif wait.site is not None and not awaited_tasks(wait.on) and not has_been_ended(task):
                self._tell(_cleanup(wait))


def _cleanup(wait: Wait) -> Finding:
    return Finding(
        deadlock.RULE,
        f"{name_of(wait.task)!r} was cancelled at the end, and its cleanup waits for ever",
        wait.site,
        cause="no other task, timer, connection or thread is left that could end this wait",
        fix="give what a cleanup awaits a timeout",
    )


_WHY = "AT403: what this waits for was cancelled, and runs on"


def _abandon(task: asyncio.Task[Any]) -> None:
    """Leave a task where it is, for ever. The finding says so; Python need not say it again."""
    import ctypes  # Some milliseconds that only those pay who need it.

    task._log_destroy_pending = False  # type: ignore[attr-defined]
    # Destroying its coroutine would throw GeneratorExit into it, and who catches everything in a loop would then spin
    # inside the garbage collector, with no turn of any loop left in which to stop it.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(task.get_coro()))


def _went_on(request: Request) -> Finding:
    name = name_of(request.task)
    how = "ended as if nothing had been" if request.task.done() else "runs on"
    if request.by_wait_for and request.task.done():
        cause = "wait_for() cancelled it when its time was over, this line caught that, and so no TimeoutError came"
    else:
        cause = "this line caught the CancelledError and did not raise it again"
    return Finding(RULE, f"{name!r} was cancelled, and {how}", request.kept, cause)
