"""AT102: a mock stands where an awaitable was needed, or the reverse."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.errors import innermost_user_step, raised_in, site_of_step, steps
from shared_testing.evidence.mocks import STAND_IN
from shared_testing.evidence.names import value_of
from shared_testing.findings import Finding, Rule
from shared_testing.findings.site import is_users, site_of_code
from shared_testing.findings.written import awaited_at, statement_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.mocks import MockCall, MockCalls
    from shared_testing.evidence.unawaited import Unawaited, UnawaitedCoroutines
    from shared_testing.findings import Site
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT102",
    title="a mock where an awaitable was needed, or the reverse",
    cause="a MagicMock gives its value at once, an AsyncMock gives a coroutine that must be awaited",
    fix="make it by mock_of(Class), which awaits where the class does; or AsyncMock for what the code awaits",
    explanation=(
        "The error speaks of a dict, a MagicMock or a coroutine, and of a line in the code that is tested;\n"
        "what is wrong is the mock, some lines or files away."
    ),
    bad="""
client = MagicMock()
client.fetch.return_value = {"id": 1}
await client.fetch(1)
""",
    good="""
client = mock_of(Client)
on(client.fetch).returns({"id": 1})
await client.fetch(1)
""",
    lint="none: what a mock stands for is not in its type; its class tells (shared_testing.mock_of)",
    not_seen="a wrong mock whose error the code under test catches; an AsyncMock with AT101 switched off",
)

_AWAITED = (
    r"object (?P<kind>\w+) can't be used in 'await' expression|'(?P<kind2>\w+)' object can't be awaited"
    r"|An asyncio.Future, a coroutine or an awaitable is required|a coroutine was expected, got "
)
_ENTERED = r"'(?P<kind>\w+)' object does not support the asynchronous context manager protocol"
_ITERATED = r"'async for' requires an object with __aiter__ method, got (?P<kind>\w+)"
_COROUTINE = r"\bcoroutine\b"


class WrongMock(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self, mocks: MockCalls, unawaited: UnawaitedCoroutines) -> None:
        self._mocks = mocks
        self._unawaited = unawaited
        self._stub: Finding | None = None

    def install(self, observer: LoopObserver) -> None:
        observer.on_failure.append(self._failed)

    def uninstall(self) -> None:
        self._mocks.uninstall()

    def start(self, scope: Scope) -> None:
        self._mocks.start()
        self._stub = None

    def _failed(self, error: BaseException) -> None:
        """Look at a stub while it is in its place: a fixture's teardown takes it away."""
        for each in raised_in(error):
            match, step = re.search(_AWAITED, str(each)), innermost_user_step(each)
            if isinstance(each, TypeError) and match and step is not None and self._stub is None:
                self._stub = _plain_function(step, site_of_step(step), match["kind"] or match["kind2"] or "")

    def finish(self, scope: Scope) -> Iterable[Finding]:
        self._unawaited.finish()
        for error in raised_in(scope.error):
            if isinstance(error, TypeError | AttributeError | ValueError) and (found := self._explained(error)):
                return [found]
        return []

    def _explained(self, error: BaseException) -> Finding | None:
        text = str(error)
        if (step := innermost_user_step(error)) is None:
            return None
        # First, for an AsyncMock's coroutine is also what 'async with' and 'async for' complain about.
        if re.search(_COROUTINE, text) and (found := self._coroutine_used(error, text)):
            return found
        if match := re.search(_AWAITED, text):
            kind = match["kind"] or match["kind2"] or ""
            return self._awaited(step, kind)
        if match := re.search(_ENTERED, text):
            return self._entered(step, match["kind"], "async with", "a MagicMock has __aenter__ and __aexit__")
        if match := re.search(_ITERATED, text):
            return self._entered(step, match["kind"], "async for", "a MagicMock has __aiter__: set its return_value")
        return None

    def _coroutine_used(self, error: BaseException, text: str) -> Finding | None:
        """The value of an AsyncMock's call was used, and was a coroutine."""
        codes = {step.tb_frame.f_code.co_filename for step in steps(error)}
        wanted = [
            each
            for each in self._unawaited.found
            if each.mock is not None and each.site is not None and each.site.path in codes
        ]
        used = site_of_step(step) if (step := innermost_user_step(error)) else None
        if not wanted or used is None:
            return None
        # Two may be open; the one that was made nearest before the line that failed is the one it fails by.
        guilty = max(wanted, key=lambda each: _nearness(each, used))
        self._unawaited.take(lambda each: each is guilty)
        return _for_async_mock(guilty, text, used, self._mocks.made_at(guilty.mock))

    def _awaited(self, step: TracebackType, kind: str) -> Finding | None:
        used = site_of_step(step)
        call = self._called(step, used, lambda each: not each.is_async)
        if call is not None:
            gave = "" if kind in ("", call.kind) else f", which gave {_a(kind)}"
            return Finding(
                RULE,
                f"{call.name} is {_a(call.kind)}{gave}: its result cannot be awaited",
                call.made or used,
                f"{_a(call.kind)} gives its value at once, and the code awaits it",
                f"make {call.name} an AsyncMock, or make {_owner(call.name)} by mock_of(...), "
                "which awaits where the class does",
                _used_at("awaited", used, call.made),
            )
        return self._stub

    def _entered(self, step: TracebackType, kind: str, syntax: str, why: str) -> Finding | None:
        used = site_of_step(step)
        call = self._called(step, used, lambda _: True)
        if call is None:
            return None
        if not _is_mocks(kind, call):
            return _gives_plain(call, kind, syntax, used)
        return Finding(
            RULE,
            f"{call.name} gives {_a(kind)}, which does not support {syntax!r}",
            call.made or used,
            f"{_a(kind)} has no asynchronous magic methods",
            f"make it a MagicMock: {why}",
            _used_at("used", used, call.made),
        )

    def _called(self, step: TracebackType, used: Site, wanted: Any) -> MockCall | None:
        """The mock whose result this line needed: called in the same statement, else before in the function."""
        calls = [each for each in self._mocks.of(step.tb_frame.f_code) if wanted(each)]
        here = [each for each in calls if each.called.line in statement_at(used)]
        awaited = awaited_at(used)
        if not here and isinstance(awaited, ast.Call):
            return None
        nearest = here or calls
        return nearest[-1] if nearest else None


def _nearness(unawaited: Unawaited, used: Site) -> tuple[bool, int]:
    site = unawaited.site
    if site is None or site.path != used.path or site.line > used.line:
        return (False, 0)
    return (True, site.line)


def _for_async_mock(guilty: Unawaited, text: str, used: Site, made: Site | None) -> Finding:
    name, kind = guilty.name, type(guilty.mock).__name__
    if match := re.search(r"'async for'|asynchronous context manager", text):
        needed = "'async for'" if match[0] == "'async for'" else "'async with'"
        cause = f"{needed} takes what the call gives, and does not await it first"
        fix = f"make {name} a MagicMock: what it returns supports {needed}"
    else:
        cause = f"{_a(kind)} gives a coroutine, and the code uses it without awaiting it"
        fix = f"make {name} a MagicMock, or await the call; mock_of(...) does as the class does"
    details = _used_at("made", made, guilty.site) + _used_at("used", used, guilty.site)
    return Finding(RULE, f"{name} is {_a(kind)}: its call gives a coroutine", guilty.site, cause, fix, details)


def _plain_function(step: TracebackType, used: Site, kind: str) -> Finding | None:
    """A hand-written stub: ``def fetch`` where the real one is ``async def fetch``."""
    awaited = awaited_at(used)
    if not kind or kind in ("function", "method") or not isinstance(awaited, ast.Call):
        return None
    name = ast.unparse(awaited.func)
    function = value_of(awaited.func, step.tb_frame)
    code = getattr(function, "__code__", None)
    if code is not None and code.co_filename.startswith(STAND_IN):
        return Finding(
            RULE,
            f"{name}() gives {_a(kind)}, which cannot be awaited",
            used,
            f"{function.__qualname__} is a plain method, and what mock_of() made of it is one, too",
            "drop the 'await', or make the method of the class async",
        )
    site = site_of_code(code) if code is not None and is_users(code.co_filename) else used
    return Finding(
        RULE,
        f"{name}() gives {_a(kind)}, which cannot be awaited",
        site,
        "it is a plain function, and the code awaits what it returns",
        f"make {name} async (async def, or an AsyncMock); or drop the 'await', if the real one is not async",
        _used_at("awaited", used, site),
    )


def _gives_plain(call: MockCall, kind: str, syntax: str, used: Site) -> Finding | None:
    """A mock's ordinary return value, in the same statement: ``async for row in db.rows()``."""
    if call.called.line not in statement_at(used) or call.is_async:
        return None
    magic = "__aiter__.return_value = [...]" if syntax == "async for" else "__aenter__.return_value = ..."
    return Finding(
        RULE,
        f"{call.name} is {_a(call.kind)}, which gave {_a(kind)}: that does not support {syntax!r}",
        call.made or used,
        f"{_a(kind)} is what the mock was told to return, and the code needs more of it",
        f"make {call.name} a MagicMock, and set its return_value.{magic}",
        _used_at("used", used, call.made),
    )


def _owner(name: str) -> str:
    return name.rpartition(".")[0] or "it"


def _is_mocks(kind: str, call: MockCall) -> bool:
    return kind == call.kind or kind.endswith("Mock")


def _used_at(verb: str, used: Site | None, unless: Site | None) -> tuple[str, ...]:
    return (f"{verb} at {used}",) if used is not None and unless is not None and used != unless else ()


def _a(kind: str) -> str:
    if kind == "NoneType":
        return "None"
    return f"{'an' if kind[:1] in 'AEIOUaeiou' else 'a'} {kind}"
