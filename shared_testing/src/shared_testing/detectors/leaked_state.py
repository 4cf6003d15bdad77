"""AT501: state leaked into a later test."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.errors import raised_in, steps
from shared_testing.evidence.global_state import Change, GlobalState
from shared_testing.findings import Finding, Rule
from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import CodeType

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Site
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT501",
    title="state leaked into a later test",
    cause="a module's global outlives the test that changed it",
    fix="put it back in a fixture's teardown (monkeypatch does), or keep the state in an object that each test makes",
    explanation=(
        "A cache or a counter at module level is one for the whole run: the first test fills it, the second passes\n"
        "or fails by what it finds there. The one that fails is not the one to mend, so its report names the other.\n"
        "With findings_strict_state = true the test that leaves a change behind fails itself."
    ),
    bad="""
_cache = {}

async def fetch(key):
    _cache[key] = await backend.get(key)
""",
    good="""
@pytest.fixture(autouse=True)
def empty_cache():
    yield
    _cache.clear()
""",
    lint="PLW0603 (ruff) sees the 'global' statement",
    not_seen=(
        "a test that passes only because of an earlier one (shuffle the order to see it); environment variables and "
        "the state of libraries; what lies deeper than an object's own attributes, or beyond the fiftieth item"
    ),
)


# evidence.writers reads source: it is imported by those who need it, once something was found.


class LeakedState(Detector):
    """Compares the user's globals after each test; speaks when a test fails that reads what another changed."""

    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._state = GlobalState()
        self._scope: Scope | None = None
        self._found: list[Finding] = []

    def install(self, observer: LoopObserver) -> None:
        observer.on_failure.append(self._failed)

    def uninstall(self) -> None:
        self._state = GlobalState()

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._found.clear()
        self._state.begin()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        found, self._found = self._found, []
        changes = self._state.end(scope.name)
        left = {id(change) for each in self._state.changes.values() for change in each} if self._strict else set()
        return [*found, *(_polluter(change) for change in changes if id(change) in left)]

    def _failed(self, error: BaseException) -> None:
        """Name the test that changed what this one reads; of several objects the one that is read nearest."""
        if not self._state.changes or self._scope is None:
            return
        victim = self._scope.name
        near: list[tuple[int, Change]] = []
        for (module, name), changes in self._state.changes.items():
            others = [change for change in changes if change.test != victim]
            if others and (far := _distance(error, self._scope.test, module, name)) is not None:
                near.append((far, others[-1]))
        if near:
            nearest = min(far for far, _ in near)
            self._found += [_victim(change) for far, change in near if far == nearest][:1]


def _distance(error: BaseException, test: Any, module: str, name: str) -> int | None:
    from shared_testing.evidence.writers import distance

    frames = [
        step.tb_frame
        for each in raised_in(error)
        for step in reversed(list(steps(each)))
        if is_users(step.tb_frame.f_code.co_filename)
    ]
    start: list[tuple[CodeType, Mapping[str, Any]]] = [(frame.f_code, frame.f_globals) for frame in frames]
    function: Any = inspect.unwrap(getattr(test, "function", None) or _distance)
    if function is not _distance:
        start.append((function.__code__, function.__globals__))
    return distance(start, module, name)


def _victim(change: Change) -> Finding:
    sites, defined = _places(change)
    where = f" at {sites[0]}" if len(sites) == 1 else ""
    return Finding(
        RULE,
        f"{change.name!r} had been changed by {_test(change)} when this test began",
        sites[0] if sites else defined,
        cause=f"{_test(change)} left {change.after} where {change.before} had been{where}; this test reads it",
        details=_notes(change, sites, defined),
        fix=f"put {change.name} back at the end of {_test(change)}, in a fixture; or make it anew for each test",
    )


def _polluter(change: Change) -> Finding:
    sites, defined = _places(change)
    return Finding(
        RULE,
        f"{change.name!r} is changed for every later test",
        sites[0] if sites else defined,
        cause=f"this test found {change.before} and left {change.after}",
        details=_notes(change, sites, defined),
    )


def _places(change: Change) -> tuple[list[Site], Site | None]:
    """The lines that write it, and the one that defines it."""
    # It reads source, which only those pay for who need it.
    from shared_testing.evidence.writers import definition_site, writing_sites

    return writing_sites(change.module, change.name), definition_site(change.module, change.name)


def _notes(change: Change, sites: list[Site], defined: Site | None) -> tuple[str, ...]:
    notes = [f"{change.name} is defined at {defined}"] if defined is not None else []
    return (*notes, *(f"{change.name} is also written at {site}" for site in sites[1:4]))


def _test(change: Change) -> str:
    return change.test.rpartition("::")[2]
