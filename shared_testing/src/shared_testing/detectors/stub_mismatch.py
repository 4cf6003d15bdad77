"""AT602: a stub that no request used, or a request that no stub answers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from shared_testing.detectors.detector import Detector
from shared_testing.evidence import stubs
from shared_testing.findings import Finding, Rule
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT602",
    title="stub never used, request never stubbed, unknown host",
    cause="what the test has set up is not what the code under test did",
    fix="set up what is asked for, and remove what is not",
    explanation=(
        "An unknown host is a typing error, or a request that should not leave a test. Code that takes every error\n"
        "for an outage tries again and gives up, and the test is green for the wrong reason. A fault that no request\n"
        "met has tested nothing. A stand-in by mock_of() makes up no values: what nobody stubbed is told as well, and\n"
        "what the test itself has stubbed and nobody called."
    ),
    bad="""
async def test_fetch(network):
    network.serve("https://api.exmaple.com", app)
    assert await fetch("https://api.example.com/users/1") is None
""",
    good="""
async def test_fetch(network):
    network.serve("https://api.example.com", app)
    assert await fetch("https://api.example.com/users/1") is None
""",
    lint="none",
    not_seen=(
        "requests by another library than aiohttp, and those by a connector of one's own that is no TCPConnector; with "
        "aioresponses itself, stubs and requests of a test that expects an error; stubs of a stand-in that a fixture "
        "has written and the test does not need"
    ),
)


class StubMismatch(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._heard: list[stubs.Mismatch] = []
        self._orders: list[stubs.Orders] = []
        self._scope: Scope | None = None
        self._patches = Patches()
        self._aioresponses_is_watched = False

    def install(self, observer: LoopObserver) -> None:
        stubs.listeners.append(self._hear)
        stubs.order_books.append(self._note)

    def uninstall(self) -> None:
        stubs.listeners.remove(self._hear)
        stubs.order_books.remove(self._note)
        self._patches.undo()
        self._aioresponses_is_watched = False

    def start(self, scope: Scope) -> None:
        self._scope = scope
        if not self._aioresponses_is_watched and "aioresponses.core" in sys.modules:
            from shared_testing.evidence.bare_aioresponses import BareAioresponses

            BareAioresponses(self._patches).watch(sys.modules["aioresponses.core"])
            self._aioresponses_is_watched = True

    def _hear(self, mismatch: stubs.Mismatch) -> None:
        if mismatch.code == RULE.code:
            self._heard.append(mismatch)

    def _note(self, orders: stubs.Orders) -> None:
        # What a fixture orders is there for all who ask for it: not every test has to use each.
        if (scope := self._scope) is not None and (scope.test is None or (scope.is_set_up and not scope.tears_down)):
            self._orders.append(orders)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        self._heard += [unused for orders in self._orders if (unused := orders.unused()) is not None]
        self._orders.clear()
        self._scope = None
        # A loop of retries meets the same host again and again.
        heard = list(dict.fromkeys(self._heard))
        self._heard.clear()
        if scope.error is not None:
            # What comes after the error was not reached.
            heard = [each for each in heard if not each.unused]
        return [
            Finding(RULE, each.symptom, each.site, each.cause, each.fix, follows_from=each.follows_from)
            for each in heard
        ]
