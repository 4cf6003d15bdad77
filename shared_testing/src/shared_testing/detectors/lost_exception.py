"""AT701: something failed where nobody looks."""

from __future__ import annotations

import asyncio
import sys
import weakref
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.errors import raised_in
from shared_testing.evidence.interrupts import EndedByToolkit
from shared_testing.evidence.log_readers import body_of, reads_log
from shared_testing.findings import Finding, Rule
from shared_testing.findings.identity import identity
from shared_testing.findings.site import last_user_site
from shared_testing.loop.survivors import referrers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Site
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT701",
    title="exception of a task never retrieved; exception in a callback",
    cause="the task failed, and nobody awaited it or asked for its exception",
    fix="await the task, start it in an asyncio.TaskGroup, or log its exception in a done callback",
    explanation=(
        "The task ends at its first exception, and the program goes on without it. asyncio writes a record to the\n"
        "log when the task is destroyed, which may be in another test; pytest hides the log of tests that pass."
    ),
    bad="""
class Cache:
    def start(self):
        self._refresher = asyncio.create_task(self._refresh())
""",
    good="""
class Cache:
    def start(self):
        self._refresher = asyncio.create_task(self._refresh())

    async def close(self):
        self._refresher.cancel()
        with suppress(asyncio.CancelledError):
            await self._refresher
""",
    lint="RUF006 (ruff) sees a task that is not even kept",
    not_seen=(
        "what a loop.set_exception_handler() of the user's gets, or a test that asks for caplog; errors of libraries\n"
        "with no line of the user's; an error that was never raised, in a future that the test's own function made;\n"
        "the future of run_coroutine_threadsafe(), which never tells; uvloop's own transports"
    ),
)

_SHUTDOWN = "unhandled exception during asyncio.run() shutdown"


# What asyncio itself says holds one of these; else it is the program's own notice, and the program looks after it.
_ASYNCIOS_OWN = frozenset({"handle", "future", "task", "protocol", "transport", "asyncgen"})


class _Born(NamedTuple):
    future: weakref.ref[asyncio.Future[Any]]
    site: Site | None
    wide: bool
    """A fixture of a wider scope made it, and may look at it in its teardown."""
    is_props: bool = False
    """The test's own function made it, to play a part of the program to what it tests."""


class LostException(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._scope: Scope | None = None
        self._body: CodeType | None = None
        # By number: when a future tells that it was lost, weak references to it may be dead already.
        self._born: dict[int, _Born] = {}
        self._lost: list[tuple[BaseException, Finding]] = []

    def install(self, observer: LoopObserver) -> None:
        observer.on_task.append(self._task_created)
        observer.on_future.append(self._future_created)
        observer.on_error.append(self._failed)

    def uninstall(self) -> None:
        self._born.clear()

    def start(self, scope: Scope) -> None:
        self._scope, self._body, self._lost = scope, body_of(scope.test), []

    def _task_created(self, task: asyncio.Task[Any], site: Site | None) -> None:
        if (scope := self._scope) is not None:
            self._born[identity(task)] = _Born(weakref.ref(task), site, scope.wider > 0)

    def _future_created(self, future: asyncio.Future[Any], site: Site, code: CodeType) -> None:
        if (scope := self._scope) is not None:
            self._born[identity(future)] = _Born(weakref.ref(future), site, scope.wider > 0, code is self._body)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> bool:
        error = context.get("exception")
        if self._scope is None or not isinstance(error, BaseException):
            return False
        # A task that asked an iterator for its next item, and there was none: the end is no failure.
        if isinstance(error, StopAsyncIteration) and "future" in context:
            return False
        # Before Python 3.12 a stream server asks its handler's task for its exception, also when that was cancelled.
        if isinstance(error, asyncio.CancelledError) and "handle" in context:
            return False
        # Whoever has set a handler looks after it; what follows from a leaked task is told by AT301.
        if loop.get_exception_handler() is not None or context.get("message") == _SHUTDOWN:
            return False
        if reads_log(self._scope):
            return False
        finding = self._finding(context, error)
        if finding is None or _is_own_notice(context):
            return False
        self._lost.append((error, finding))
        return True

    def finish(self, scope: Scope) -> Iterable[Finding]:
        for born in list(self._born.values()):
            future = born.future()
            if future is not None and _is_lost(future) and not (born.wide and _fixture_holds(future)):
                self._tell(future)
        self._born = {number: born for number, born in self._born.items() if _lives_on(born.future())}
        # What the test itself raised has been seen, and what was ended by us has its finding.
        seen = set(map(id, raised_in(scope.error)))
        found, self._scope, self._lost = self._lost, None, []
        return [each for error, each in found if id(error) not in seen and not isinstance(error, EndedByToolkit)]

    def _tell(self, future: asyncio.Future[Any]) -> None:
        # Not exception(): if there is no line to tell, it must not be marked as retrieved.
        if (error := future._exception) is None or isinstance(error, StopAsyncIteration):
            return
        if (finding := self._finding({"future": future}, error)) is not None:
            self._lost.append((error, finding))
            # Or asyncio would log it in some later test.
            future._log_traceback = False

    def _finding(self, context: dict[str, Any], error: BaseException) -> Finding | None:
        raised = last_user_site(error.__traceback__)
        future = context.get("future")
        born = self._born.get(identity(future))
        made = born.site if born is not None else None
        if born is not None and born.is_props and raised is None:
            return None
        if (site := raised or made) is None:
            return None
        told = _told(error)
        if isinstance(future, asyncio.Future):
            what = "task" if isinstance(future, asyncio.Task) else "future"
            details = (f"{what} created at {made}",) if made is not None and made != site else ()
            if isinstance(future, asyncio.Task):
                symptom = f"{_task(future)} failed with {told}, and nobody looked"
                return Finding(RULE, symptom, site, details=details)
            cause = "nobody awaited the future or asked for its exception"
            fix = "await the future, or ask for its exception()"
            return Finding(RULE, f"a future got {told}, and nobody looked", site, cause, fix, details)
        cause = "the loop called it, and there is nobody above who could catch; the loop only writes to its log"
        fix = "handle the error inside; or start a task there, and await it"
        return Finding(RULE, f"{_named(context)} failed with {told}", site, cause, fix)


def _is_own_notice(context: dict[str, Any]) -> bool:
    """Whether the program, or a library, has called the handler in its own words."""
    said = _ASYNCIOS_OWN & context.keys()
    if said != {"task"}:
        return not said
    # A group of tasks, which knows what it does with their errors; asyncio's own only does so when it has ended.
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("shared_testing."):
        frame = frame.f_back
    return frame is None or not frame.f_globals.get("__name__", "").startswith("asyncio.")


def _task(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    if type(coroutine).__name__ == "async_generator_athrow":
        return "closing an async generator"
    if type(coroutine).__name__ == "async_generator_asend":
        return "the next item of an async generator"
    return f"task {getattr(coroutine, '__qualname__', task.get_name()).rpartition('<locals>.')[2]!r}"


def _told(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__


def _named(context: dict[str, Any]) -> str:
    """What failed, by the words of the loop's context."""
    if (handle := context.get("handle")) is not None:
        callback = getattr(handle, "_callback", None)
        callback = getattr(callback, "func", callback)
        name = getattr(callback, "__qualname__", None)
        return f"callback {name.rpartition('<locals>.')[2]!r}" if name else "a callback of the loop"
    if isinstance(task := context.get("task"), asyncio.Task):
        return _task(task)
    if (protocol := context.get("protocol")) is not None:
        return f"protocol {type(protocol).__qualname__.rpartition('<locals>.')[2]!r}"
    if (generator := context.get("asyncgen")) is not None:
        closed: str = getattr(generator, "__qualname__", "")
        return f"closing async generator {closed.rpartition('<locals>.')[2]!r}"
    return "the handler of a connection"


def _is_lost(future: asyncio.Future[Any]) -> bool:
    # uvloop's tasks are asyncio's; a user's own class may have no such flag.
    lost = future.done() and not future.cancelled() and getattr(future, "_log_traceback", False)
    return bool(lost) and future.get_loop().get_exception_handler() is None


def _lives_on(future: asyncio.Future[Any] | None) -> bool:
    return future is not None and (not future.done() or _is_lost(future)) and not future.get_loop().is_closed()


def _fixture_holds(future: asyncio.Future[Any]) -> bool:
    """Whether a fixture that is not torn down yet has it in a variable."""
    return any(isinstance(each, GeneratorType | AsyncGeneratorType) for each in referrers(future))
