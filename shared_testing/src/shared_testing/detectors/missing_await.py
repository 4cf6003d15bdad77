"""AT101: a coroutine was made, and never awaited."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.errors import innermost_frame, innermost_user_step, raised_in, site_of_step
from shared_testing.evidence.names import value_of
from shared_testing.findings import Finding, Rule
from shared_testing.findings.site import is_users, last_user_site, site_of_code
from shared_testing.findings.written import awaited_at, calls_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.unawaited import Unawaited, UnawaitedCoroutines
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT101",
    title="coroutine never awaited",
    cause="calling an async function only makes a coroutine; its body never ran",
    fix="put 'await' in front of the call",
    explanation=(
        "The call looks done, and nothing was done. A coroutine is true in a condition, so even a check passes.\n"
        "Python warns when the coroutine is destroyed, which may be in another test, or never."
    ),
    bad="""
async def test_saves(store):
    store.save(user)
""",
    good="""
async def test_saves(store):
    await store.save(user)
""",
    lint="RUF029 and mypy's unused-coroutine see the plain statement",
    not_seen=(
        "a coroutine that a suspended coroutine or a task holds: it may yet be awaited; and one that a library\n"
        "made of its own code, of which Python warns as ever"
    ),
)

# What asyncio says when it gets the function, or a list, instead of a coroutine.
_NOT_AWAITABLE = (
    r"An asyncio.Future, a coroutine or an awaitable is required|a coroutine was expected, got "
    r"|object (function|method|builtin_function_or_method) can't be used in 'await'"
    r"|'(function|method)' object can't be awaited"
)
_WAIT_TAKES_TASKS = "Passing coroutines is forbidden"
_TAKERS = ("create_task", "ensure_future", "run_coroutine_threadsafe", "run_until_complete", "spawn")
_ARGUMENTS = ("coro_or_future", "coro", "main", "fut")


class MissingAwait(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self, unawaited: UnawaitedCoroutines) -> None:
        self._unawaited = unawaited

    def install(self, observer: LoopObserver) -> None:
        self._unawaited.install()
        observer.before_collection.append(self._unawaited.before_collection)

    def uninstall(self) -> None:
        self._unawaited.uninstall()

    def start(self, scope: Scope) -> None:
        # Outside pytest nothing has been collected and frozen before the scope began.
        self._unawaited.start(look_back=scope.test is None)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        self._unawaited.finish()
        passed_on = _given_to_wait(scope.error)
        found = [_finding(each, passed_on) for each in _outermost(self._unawaited.take(lambda _: True))]
        return [*found, *_never_called(scope.error)]


def _outermost(unawaited: list[Unawaited]) -> list[Unawaited]:
    """Without the user's coroutines that stand in a library's call on the same line: ``wait_for(save(), 1)``."""
    calls = {each.site for each in unawaited if each.mock is None and not is_users(each.code.co_filename)}
    return [each for each in unawaited if each.site not in calls or not is_users(each.code.co_filename)]


def _finding(unawaited: Unawaited, passed_on: str) -> Finding:
    name = unawaited.name
    symptom = f"coroutine {name!r} was never awaited"
    if unawaited.mock is not None:
        cause = f"{name} is an {type(unawaited.mock).__name__}: calling it only makes a coroutine"
        fix = f"put 'await' in front of the call, or make {name} a MagicMock if the real one is not async"
        return Finding(RULE, symptom, unawaited.site, cause, fix)
    if passed_on:
        return Finding(RULE, symptom, unawaited.site, "asyncio.wait() takes tasks, not coroutines", passed_on)
    if unawaited.site is not None and unawaited.site == site_of_code(unawaited.code):
        caller = f"{unawaited.caller[2]}() of {_file(unawaited.caller[0])}" if unawaited.caller else "a library"
        cause = f"{caller} called it as a plain function, and dropped the coroutine"
        fix = "hand over a plain function, which may start it by asyncio.create_task()"
        return Finding(RULE, symptom, unawaited.site, cause, fix)
    if taker := _taker(unawaited):
        cause = f"{taker}() was given it, and refused it, or was stopped before it began"
        return Finding(RULE, symptom, unawaited.site, cause, "close() the coroutine where it is refused or stopped")
    return Finding(RULE, symptom, unawaited.site)


def _taker(unawaited: Unawaited) -> str:
    """What the user's line hands the coroutine to; asyncio's own never drop one that they have taken."""
    if unawaited.site is None:
        return ""
    called = (text.rpartition(".")[2] for text in calls_at(unawaited.site))
    return next((name for name in called if name in _TAKERS), "")


def _given_to_wait(error: BaseException | None) -> str:
    for each in raised_in(error):
        if isinstance(each, TypeError) and re.search(_WAIT_TAKES_TASKS, str(each)):
            return "wrap each coroutine in asyncio.create_task()"
    return ""


def _never_called(error: BaseException | None) -> Iterable[Finding]:
    """``gather(f)``, ``create_task(f)``, ``await f``: the function itself, without the call."""
    for each in raised_in(error):
        if not isinstance(each, TypeError | ValueError) or not re.search(_NOT_AWAITABLE, str(each)):
            continue
        function = _function_in(each)
        if function is not None and (site := last_user_site(each.__traceback__)) is not None:
            name = function.__qualname__.rpartition("<locals>.")[2]
            yield Finding(
                RULE,
                f"async function {name!r} was passed on, but never called",
                site,
                "the function itself cannot be awaited; calling it makes the coroutine that can",
                f"call it: {name.rpartition('.')[2]}(...)",
            )


def _function_in(error: BaseException) -> Any:
    """The async function that asyncio was given."""
    frame = innermost_frame(error)
    if frame is None:
        return None
    values = [frame.f_locals.get(name) for name in _ARGUMENTS]
    if (step := innermost_user_step(error)) is not None and step.tb_frame is frame:
        values = [value_of(awaited_at(site_of_step(step)), frame)]
    return next((each for each in values if _is_async_function(each)), None)


def _is_async_function(value: Any) -> bool:
    return inspect.iscoroutinefunction(value) and hasattr(value, "__qualname__")


def _file(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
