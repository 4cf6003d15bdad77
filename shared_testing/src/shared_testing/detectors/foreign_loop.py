"""AT502: an object of another, or a closed, event loop."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from types import AsyncGeneratorType, CellType, CoroutineType, FrameType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.errors import innermost_frame, innermost_user_step, raised_in, site_of_step, steps
from shared_testing.evidence.loop_lives import LoopLives, closed_at, made_at, unbind
from shared_testing.findings import Finding, Rule
from shared_testing.findings.site import is_users
from shared_testing.loop.scopes import fixture_with, loop_name, parts, scope_of, test_site
from shared_testing.loop.survivors import referrers
from shared_testing.loop.watched import open_loops
from shared_testing.patches import Patches
from shared_testing.verdicts.wording import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Site
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT502",
    title="object of another, or a closed, event loop",
    cause="an asyncio object belongs to one event loop, and works in no other",
    fix="make it in the loop that uses it, or run both on one loop (loop_scope)",
    explanation=(
        "pytest-asyncio gives each test a loop of its own, unless loop_scope says otherwise. What was made in the\n"
        "loop of a wider fixture, or bound to that of an earlier test, fails or waits for ever in the next."
    ),
    bad="""
_lock = asyncio.Lock()

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(): ...

@pytest.mark.asyncio
async def test_fetch(client): ...
""",
    good="""
@pytest.mark.asyncio(loop_scope="module")
async def test_fetch(client): ...
""",
    lint="none: which loop will run is not in the text",
    not_seen=(
        "a global object that nobody had to wait for yet; one that only a loop wider than a test's was bound to; a "
        "failure that the program catches"
    ),
)

_BOUND = "is bound to a different event loop"
_FOREIGN = (
    "attached to a different loop|belongs to a different loop"
    # aiohttp says this of a session of another loop.
    "|^Timeout context manager should be used inside a task$"
)
_CLOSED = "^Event loop is closed$"
_NONE = "^no running event loop$|^There is no current event loop"

# What holds something for a function that runs or has failed. The search among the globals does not look into these.
_VARIABLES = (CellType, FrameType, GeneratorType, CoroutineType, AsyncGeneratorType, MethodType)


class ForeignLoop(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._patches = Patches()
        self._lives = LoopLives()
        self._scope: Scope | None = None
        self._explained: Finding | None = None
        self._told: WeakSet[Any] = WeakSet()

    def install(self, observer: LoopObserver) -> None:
        observer.on_failure.append(self._failed)
        self._lives.install(self._patches)

    def uninstall(self) -> None:
        self._patches.undo()

    def start(self, scope: Scope) -> None:
        self._scope, self._explained = scope, None
        self._lives.bound.clear()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        found = [self._explained] if self._explained is not None else []
        self._explained = None
        return [*found, *self._outliving()]

    # ------------------------------------------------------------------ globals that keep a test's loop

    def _outliving(self) -> list[Finding]:
        """What was bound to the loop of this test, which is closed now, and is still there for the next."""
        left = {id(each): each for each in self._lives.bound if _is_of_closed_test(each)}
        if not left or not _are_held(left):
            return []
        # It reads source, which only those pay for who need it.
        from shared_testing.evidence import global_objects

        found: dict[Site, Finding] = {}
        for key, (name, site) in global_objects.find(set(left)).items():
            thing = left[key]
            # Or the next test, which does nothing wrong, would fail by it.
            unbind(thing)
            if thing not in self._told:
                self._told.add(thing)
                found.setdefault(site, _outlives(name, kind_of(thing), site))
        return list(found.values())

    # ------------------------------------------------------------------ tests that fail by a foreign object

    def _failed(self, error: BaseException) -> None:
        """Look while the fixtures still stand."""
        for each in raised_in(error):
            if isinstance(each, RuntimeError | ValueError) and (found := self._explain(each)) is not None:
                self._explained = found
                return

    def _explain(self, error: BaseException) -> Finding | None:
        text = str(error)
        step = innermost_user_step(error)
        if step is None:
            return None
        site = site_of_step(step)
        if re.search(_NONE, text):
            return _no_loop(site)
        if re.search(_CLOSED, text):
            frame = innermost_frame(error)
            return self._closed(error, site, frame.f_locals.get("self") if frame is not None else None)
        if re.search(_BOUND, text) or re.search(_FOREIGN, text):
            return self._foreign(error, site)
        return None

    def _foreign(self, error: BaseException, used: Site) -> Finding | None:
        here = self._own_loop()
        thing, name = next(_things_of_others(error, here), (None, ""))
        there = getattr(thing, "_loop", None)
        test = self._scope.test if self._scope is not None else None
        fixture = fixture_with(test, thing) if thing is not None else None
        what = f"{_a(kind_of(thing))} of {loop_name(there)}" if thing is not None else "an object of another loop"
        notes = [f"it is used at {used}: {used.source}"] if fixture is not None else []
        if (place := test_site(test)) is not None:
            notes.append(f"the test runs on {loop_name(here)}: {place}: {place.source}")
        if there is not None and (closed := closed_at(there)) is not None:
            notes.append(f"that loop was closed at {closed}")
        return Finding(
            RULE,
            f"{name!r} is {what}, and is used on {loop_name(here)}" if name else f"{what} is used on {loop_name(here)}",
            fixture.site if fixture is not None else used,
            shows_at=used,
            cause=_cause(there, fixture.name if fixture else None),
            fix=_fix(scope_of(here), scope_of(there), fixture.name if fixture else None),
            details=tuple(notes),
        )

    def _closed(self, error: BaseException, used: Site, loop: Any) -> Finding:
        thing, name = next(_things_of_others(error, self._own_loop()), (None, ""))
        test = self._scope.test if self._scope is not None else None
        fixture = fixture_with(test, thing) if thing is not None else None
        made, closed = made_at(loop), closed_at(loop)
        notes = [f"the loop was made at {made}"] if made not in (None, closed) else []
        site = closed or made or (fixture.site if fixture is not None else used)
        if site != used:
            notes.insert(0, f"it is used at {used}: {used.source}")
        if thing is not None:
            notes.append(f"{name!r} is {_a(kind_of(thing))} of that loop")
        if fixture is not None and site != fixture.site:
            notes.append(f"fixture {fixture.name!r} made it at {fixture.site}: {fixture.site.source}")
        scope = scope_of(loop)
        whose = "that of an earlier test" if scope == "function" else loop_name(loop) if scope else "a loop of its own"
        return Finding(
            RULE,
            "an event loop is used after it was closed",
            site,
            shows_at=used,
            cause=f"what is used here was made in another loop, {whose}, which is closed by now",
            fix="make it in the loop that uses it: in the test, or in an async fixture of the same loop_scope",
            details=tuple(notes),
        )

    def _own_loop(self) -> Any:
        """The loop that the test runs on."""
        scope = getattr(self._scope.test, "_loop_scope", "") if self._scope is not None else ""
        loops = open_loops()
        return next((each for each in loops if scope_of(each) == scope), loops[0] if loops else None)


def _is_of_closed_test(thing: Any) -> bool:
    loop = thing._loop
    return loop is not None and loop.is_closed() and scope_of(loop) == "function"


def _are_held(things: dict[int, Any]) -> bool:
    """Otherwise than by one another, and by a function's variables, which live on in a traceback or in a task.

    To ask that of the collector takes a fraction of the search among the globals.
    """
    # By this name, as it is one of those that hold them; the first of them nobody else holds.
    them = (object(), *things.values())
    alone, *rest = [sys.getrefcount(each) - len(gc.get_referrers(each)) for each in them]
    # What is frozen is a hundred times as much. It need not be asked where the rest accounts for all references.
    holders = gc.get_referrers(*them) if all(each == alone for each in rest) else referrers(*them)
    # A Queue holds its Event, a Condition its Lock: by itself, or by its own dictionary.
    own = {id(each) for thing in things.values() for each in (thing, vars(thing))} | {id(things), id(them)}
    return any(id(each) not in own and not isinstance(each, _VARIABLES) for each in holders)


def _outlives(name: str, kind: str, site: Site) -> Finding:
    return Finding(
        RULE,
        f"{name!r} took the event loop of this test, and outlives it",
        site,
        cause=f"a global {kind} keeps the first loop that waits for it, and the next test has another one",
        fix=f"make the {kind} where it is used, one for each instance; or run the tests that share it on one loop, "
        'with @pytest.mark.asyncio(loop_scope="module")',
        details=("the next test that had to wait for it would have failed: 'is bound to a different event loop'",),
    )


def _no_loop(site: Site) -> Finding:
    return Finding(
        RULE,
        "asyncio was asked for the running event loop, and none runs here",
        site,
        cause="this runs in a plain function, outside the loop or in another thread",
        fix="make the function, fixture or test async; from another thread use asyncio.run_coroutine_threadsafe()",
    )


def _cause(there: Any, fixture: str | None) -> str:
    if there is not None and there.is_closed():
        return "it was first used in a loop that is closed by now, and keeps that"
    if fixture is not None:
        return f"fixture {fixture!r} runs on {loop_name(there)}, the test on another"
    return "an asyncio object belongs to the loop in which it was made or first waited for"


def _fix(here: str, there: str, fixture: str | None) -> str:
    if not here or not there or here == there:
        return RULE.fix
    own = f', or give fixture {fixture!r} loop_scope="{here}"' if fixture else ""
    return f'put the test on the same loop, with @pytest.mark.asyncio(loop_scope="{there}"){own}'


def _things_of_others(error: BaseException, here: Any) -> Iterator[tuple[Any, str]]:
    """What the functions that the error went through had at hand, and belongs to another loop than `here`."""
    for step in reversed(list(steps(error))):
        frame = step.tb_frame
        for name, value in list(frame.f_locals.items()):
            # What gather() makes of a fixture's futures is of their loop, too: they are what the user knows.
            if _is_foreign(value, here) and not hasattr(value, "_children"):
                yield value, name if is_users(frame.f_code.co_filename) else ""
            if is_users(frame.f_code.co_filename):
                yield from ((each, f"{name}.{key}") for key, each in _named_parts(value) if _is_foreign(each, here))


def _named_parts(value: Any) -> list[tuple[str, Any]]:
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict):
        return list(attributes.items())
    return [(str(number), each) for number, each in enumerate(parts(value))]


def _is_foreign(value: Any, here: Any) -> bool:
    # Not getattr(): a mock has every attribute, and a property may run the user's code.
    loop = value.get_loop() if isinstance(value, asyncio.Future) else getattr(value, "__dict__", {}).get("_loop")
    return loop is not None and loop is not here and hasattr(loop, "is_closed")


def _a(kind: str) -> str:
    return f"{'an' if kind[:1] in 'AEIOU' else 'a'} {kind}"
