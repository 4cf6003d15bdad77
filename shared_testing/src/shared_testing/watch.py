"""The detectors, without pytest.

``async with watch() as findings`` serves a service's debug mode, a notebook or unittest; the plugin opens one
scope per test by the same :class:`Watcher`.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector, Scope
from shared_testing.detectors.registry import make_detectors
from shared_testing.evidence import harmless
from shared_testing.findings.diagnosis import one_per_cause
from shared_testing.loop.observer import LoopObserver
from shared_testing.loop.standstill import has_connections
from shared_testing.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared_testing.findings import Finding

# Turns of the loop before it is looked at: what was cancelled or closed a moment ago needs a few to end.
_LAST_TURNS = 10


class Watcher:
    """Installs the detectors, and asks them at the end of each scope. One at a time in a process."""

    def __init__(self, settings: Settings, collect_garbage: Callable[[], object] = gc.collect) -> None:
        self.observer = LoopObserver()
        self.scope: Scope | None = None
        self.observer.on_crash = self._listener_crashed
        self._crashes: list[str] = []
        self._other_loops: set[str] = set()
        self._detectors = [each for each in make_detectors(settings) if _wanted(each, settings)]
        self._starting = _overriding(self._detectors, "start")
        self._patient = _overriding(self._detectors, "is_ending")
        self._closing = _overriding(self._detectors, "closing")
        self._finishing = _overriding(self._detectors, "finish")
        self._found: list[Finding] = []
        self._disabled = settings.disabled
        self._collect_garbage = collect_garbage

    def install(self) -> None:
        harmless.crashes.clear()
        for detector in self._detectors:
            self._guarded(detector, partial(detector.install, self.observer))

    def uninstall(self) -> None:
        for detector in reversed(self._detectors):
            self._guarded(detector, detector.uninstall)

    def begin(self, scope: Scope) -> None:
        self.scope, self._found = scope, []
        for detector, start in self._starting:
            try:
                start(scope)
            except Exception as error:  # noqa: BLE001 - as in _guarded
                self._crashed(detector, error)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a loop that runs in the present scope."""
        self.observer.attach(loop)
        if not isinstance(loop, asyncio.BaseEventLoop):
            self._other_loops.add(f"{type(loop).__module__}.{type(loop).__qualname__}")
        if self.scope is not None and loop not in self.scope.loops:
            self.scope.loops.append(loop)

    def failed(self, error: BaseException) -> None:
        """The scope's first error has come out, and is about to be reported; no fixture is torn down yet."""
        if self.scope is not None and self.scope.error is None:
            self.scope.error = error
            self._tell(self.observer.on_failure, error)

    def look_before_close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask about a loop that does not run any more, and is about to be closed."""
        if _has_come_to_rest(loop) and not self._is_ending(loop):
            self._look(loop)
        else:
            loop.run_until_complete(self.look(loop))

    async def look(self, loop: asyncio.AbstractEventLoop) -> None:
        """The same from inside."""
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(0)
            # asyncio shows its ready queue to nobody; a loop that hides it gets all the turns.
            if not getattr(loop, "_ready", True):
                break
        while self._is_ending(loop):  # noqa: ASYNC110 - for turns, not for an event
            await asyncio.sleep(0)
        self._look(loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.scope is not None:
            self._ask(self._closing, self._found.extend, self.scope, loop)

    def _is_ending(self, loop: asyncio.AbstractEventLoop) -> bool:
        ending: list[bool] = []
        self._ask(self._patient, ending.append, loop)
        return any(ending)

    def end(self) -> list[Finding]:
        """Close the scope, and return what was found in it, in the order of the rules."""
        scope, found = self.scope, self._found
        if scope is None:
            return []
        self._tell(self.observer.before_collection)
        # Not only the young: a session that was opened in a fixture has lived through a collection or two.
        self._collect_garbage()
        self._ask(self._finishing, found.extend, scope)
        self.scope = None
        for loop in scope.loops:
            if loop.is_closed():
                self.observer.let_go(loop)
        # A loop that outlives its scope is looked at twice.
        return one_per_cause(finding for finding in found if finding.rule.code not in self._disabled)

    def notes(self) -> list[str]:
        """What a reader must know of our own sight, each once: what has crashed, and what could not be seen."""
        blind = [sentence for loop in sorted(self._other_loops) if (sentence := self._unseen_on(loop))]
        crashes = dict.fromkeys(self._crashes + harmless.crashes)
        return [f"{crash}; no test was failed by it, please report it" for crash in crashes] + blind

    def _unseen_on(self, loop: str) -> str:
        rules = {rule.code: rule for each in self._detectors for rule in each.rules}
        wanted = [rules[code] for code in sorted(rules.keys() - self._disabled)]
        told = [
            f"{', '.join(codes)} see{'s' * (len(codes) == 1)} {sight}"
            for sight, codes in (
                ("nothing", [rule.code for rule in wanted if rule.other_loops == "nothing"]),
                ("only a part", [rule.code for rule in wanted if rule.other_loops == "part"]),
            )
            if codes
        ]
        return f"tests ran on {loop}, where {'; '.join(told)} (pytest --explain CODE says which)" if told else ""

    def _tell(self, listeners: list[Callable[..., object]], *told: object) -> None:
        for listener in listeners:
            try:
                listener(*told)
            except Exception as error:  # noqa: BLE001 - as in _guarded
                self._listener_crashed(listener, error)

    def _listener_crashed(self, listener: Callable[..., object], error: Exception) -> None:
        if isinstance(error, RecursionError):
            return  # The user's: our call was just the last that had no room on the stack.
        # A function that watches on somebody's behalf is named by itself.
        name = type(listener.__self__).__name__ if hasattr(listener, "__self__") else _name_of(listener)
        self._crashes.append(f"{name} crashed: {type(error).__name__}: {error}")

    def _ask(self, asked: list[tuple[Detector, Any]], take: Callable[[Any], object], *about: object) -> None:
        """Hand the answer of each to `take`; of those that do not crash."""
        for detector, answer in asked:
            try:
                take(answer(*about))
            except Exception as error:  # noqa: BLE001 - as in _guarded
                self._crashed(detector, error)

    def _guarded(self, detector: Detector, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a detector that crashes must not take anybody's test with it
            self._crashed(detector, error)

    def _crashed(self, detector: Detector, error: Exception) -> None:
        codes = ", ".join(rule.code for rule in detector.rules)
        self._crashes.append(f"the detector of {codes} crashed: {type(error).__name__}: {error}")


def _wanted(detector: Detector, settings: Settings) -> bool:
    return any(rule.code not in settings.disabled for rule in detector.rules)


def _name_of(listener: Callable[..., object]) -> str:
    return getattr(listener, "__qualname__", repr(listener))


def _overriding(detectors: list[Detector], method: str) -> list[tuple[Detector, Any]]:
    changed = [each for each in detectors if getattr(type(each), method) is not getattr(Detector, method)]
    return [(each, getattr(each, method)) for each in changed]


def _has_come_to_rest(loop: Any) -> bool:
    """Whether some more turns would change nothing: nothing is ready, set, or open but the loop's own pipe.

    To run a loop for that is what a test of one line would notice. False also for a loop that does not show it.
    """
    return (
        not getattr(loop, "_ready", True)
        and not getattr(loop, "_scheduled", True)
        and isinstance(loop, asyncio.SelectorEventLoop)
        and not has_connections(loop)
    )


@asynccontextmanager
async def watch(settings: Settings | None = None) -> AsyncIterator[list[Finding]]:
    """``async with watch() as findings``: what goes wrong in the block is in the list when it has ended.

    For one block at a time in a process, and not inside a pytest run that has the plugin.
    """
    findings: list[Finding] = []
    watcher = Watcher(settings or Settings())
    watcher.install()
    try:
        watcher.begin(Scope("watch()"))
        loop = asyncio.get_running_loop()
        watcher.attach(loop)
        try:
            yield findings
        except BaseException as error:
            watcher.failed(error)
            raise
        finally:
            await watcher.look(loop)
            findings += watcher.end()
    finally:
        watcher.uninstall()
