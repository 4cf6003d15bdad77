"""AT402: nothing can make progress."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from shared_testing.detectors.detector import Detector
from shared_testing.detectors.patches import Patches
from shared_testing.evidence import holders
from shared_testing.findings import Finding, Rule
from shared_testing.loop import ending
from shared_testing.loop.ending import end, has_been_ended
from shared_testing.loop.other_ends import idle_ends
from shared_testing.loop.standstill import main_future, nothing_can_wake, only_tasks_run
from shared_testing.loop.waits import future_of, suspended_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT402",
    title="deadlock: nothing can make progress",
    cause="what everybody waits for can only come from somebody who waits too, or who has ended",
    fix="see to it that whoever waits is woken on every path, errors and cancellation included",
    explanation=(
        "The loop had nothing ready, no timer, no open connection, no job in a thread: nothing could ever wake it.\n"
        "That is a proof and no timeout, so the test is ended at once: the main task is cancelled, and its cleanup\n"
        "runs. In production the same program sits there and does nothing."
    ),
    bad="""
async def move(first, second):
    async with first:
        async with second: ...

await gather(move(a, b), move(b, a))
""",
    good="""
await gather(move(a, b), move(a, b))
""",
    lint="none: which task comes first is not in the text",
    not_seen=(
        "a deadlock beside a timer, an open socket, a signal handler or a thread that might end it; uvloop, which has "
        "no selector to ask; a task that nobody waits for"
    ),
    other_loops="nothing",
)

# Looks, a quarter of a second apart, at a loop that waits for what cannot come before its timers do.
_LOOKS = 6

_WHY = "AT402: nothing could wake this any more"


class Deadlock(Detector):
    """Proves at a standstill that nothing can wake the loop, says why, and cancels the main task."""

    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._patches = Patches()
        self._loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        self._scope: Scope | None = None
        self._found: list[Finding] = []
        self._waits: frozenset[Any] = frozenset()
        self._same = 0

    def install(self, observer: LoopObserver) -> None:
        observer.on_attach.append(self._loops.add)
        observer.on_standstill.append(self._loop_stands_still)
        observer.on_pulse.append(self._loop_waits)
        holders.install(self._patches)
        ending.install(observer, self._patches)

    def uninstall(self) -> None:
        self._patches.undo()

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._found.clear()

    def _loop_stands_still(self, loop: asyncio.AbstractEventLoop, _: int) -> None:
        __tracebackhide__ = True
        main = main_future(loop)
        if self._scope is None or main is None or not nothing_can_wake(loop):
            return
        if not has_been_ended(main):
            self._report(loop, main)
        end(main, _WHY)

    def _loop_waits(self, loop: asyncio.AbstractEventLoop, _: int) -> None:
        """Beside timers: whoever has the other end of every connection stands still, and only a timeout could come."""
        __tracebackhide__ = True
        waits = frozenset((id(task), id(future_of(task))) for task in asyncio.all_tasks(loop))
        self._same = self._same + 1 if waits == self._waits else 0
        self._waits = waits
        main = main_future(loop)
        if self._same < _LOOKS or self._scope is None or main is None or not (ends := idle_ends(loop)):
            return
        if None not in ends and not getattr(loop, "_ready", True) and only_tasks_run(loop):
            self._same = 0
            if not has_been_ended(main):
                self._report(loop, main)
            end(main, _WHY)

    def _report(self, loop: asyncio.AbstractEventLoop, main: asyncio.Future[Any]) -> None:
        # Some milliseconds of import that only those pay who need the words.
        from shared_testing.verdicts.standstill import verdict

        others = [each for each in self._loops if each is not loop and not each.is_closed()]
        test = self._scope.test if self._scope is not None else None
        try:
            finding = verdict(RULE, main, suspended_in(loop), others, test)
        except Exception as error:  # noqa: BLE001 - what is proved must be told, even if it cannot be explained
            finding = Finding(RULE, f"nothing can wake the event loop ({error!r} while looking for the cause)", None)
        self._found.append(finding)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        found, self._found, self._scope = self._found, [], None
        return found
