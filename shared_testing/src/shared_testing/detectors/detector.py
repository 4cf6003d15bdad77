"""What a detector is, and what it gets to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from shared_testing.findings import Finding, Rule
    from shared_testing.loop.observer import LoopObserver


class Scope:
    """The time from the setup of one test to the end of its teardown, or one ``watch()`` block."""

    __slots__ = ("error", "is_set_up", "loops", "name", "tears_down", "test", "wider")

    def __init__(self, name: str, test: object = None) -> None:
        self.name = name
        self.error: BaseException | None = None
        """What the test raised, known when detectors are asked to finish."""
        self.test = test
        """pytest's item; None outside pytest."""
        self.loops: list[asyncio.AbstractEventLoop] = []
        """The loops that ran inside, in the order in which they were seen."""
        self.is_set_up = False
        """The test's fixtures are there: what is done from now on it does itself."""
        self.tears_down = False
        """The test's own function has ended: what happens from now on it cannot see."""
        self.wider = 0
        """How many fixtures of a wider scope than the test's are being set up just now: what they make lives on."""


class Detector:
    """Sees one pitfall. Written for one process: it is installed once, and meets one scope after the other.

    What a detector does not override is not called: two calls per detector and test are what a test run notices.
    """

    rules: tuple[Rule, ...] = ()

    def install(self, observer: LoopObserver) -> None:
        """Begin to watch: patch what must be patched, subscribe to loop events."""

    def uninstall(self) -> None:
        """Undo all of `install`."""

    def start(self, scope: Scope) -> None:
        """A scope begins: what is seen from now on belongs to it."""

    def is_ending(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Ask for some more turns of a loop before `closing`: what was told to end needs it. False after a while."""
        return False

    def closing(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> Iterable[Finding]:
        """A loop of the scope is about to be closed; its fixtures are torn down, its leftovers still there."""
        return ()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        """The scope has ended, its loop is closed (unless it outlives the test) and garbage was collected."""
        return ()
