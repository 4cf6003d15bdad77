"""What the two detectors of a test that can never end have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.loop import ending
from shared_testing.patches import Patches

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Finding
    from shared_testing.loop.observer import LoopObserver


class ProvesStuck(Detector):
    """Ends a test once it is proved that it cannot end by itself."""

    why = ""
    """What the cancellation of the main task says."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._scope: Scope | None = None
        self._found: list[Finding] = []

    def install(self, observer: LoopObserver) -> None:
        ending.install(observer, self._patches)

    def uninstall(self) -> None:
        self._patches.undo()

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._found.clear()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        found, self._found, self._scope = self._found, [], None
        return found

    @property
    def _test(self) -> object:
        return self._scope.test if self._scope is not None else None

    def _end(self, main: asyncio.Future[Any], verdict: Callable[[], Finding]) -> None:
        """Make the main task end. What its cleanup runs into after that is no second finding."""
        __tracebackhide__ = True
        if not ending.has_been_ended(main):
            self._found.append(verdict())
        ending.end(main, self.why)
