"""AT402: nothing can make progress."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.stuck import ProvesStuck
from shared_testing.evidence import holders
from shared_testing.findings import Finding, Rule
from shared_testing.loop.other_ends import idle_ends
from shared_testing.loop.standstill import main_future, nothing_can_wake, only_tasks_run
from shared_testing.loop.waits import future_of, suspended_in
from shared_testing.loop.watched import open_loops

if TYPE_CHECKING:
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT402",
    title="deadlock: nothing can make progress",
    cause="what everybody waits for can only come from somebody who waits too, or who has ended",
    fix="see to it that whoever waits is woken on every path, errors and cancellation included",
    explanation=(
        "The loop had nothing ready, no timer, no open connection, no job in a thread: nothing could ever wake it.\n"
        "That is a proof and no timeout, so the test is ended at once: the main task is cancelled, and its cleanup\n"
        "runs. In production the same program sits there and does nothing. A loop that polls what nobody is left to\n"
        "change is ended as well, also one that never awaits, so that nobody else can run."
    ),
    bad="""
async def move(first, second):
    async with first:
        await log("moving")
        async with second: ...

await gather(move(a, b), move(b, a))
""",
    good="""
await gather(move(a, b), move(a, b))
""",
    lint="none: which task comes first is not in the text",
    not_seen=(
        "a deadlock beside a timer, an open socket, a signal handler or a thread that might end it; uvloop, which has "
        "no selector to ask; a task that nobody waits for; an endless step that calls functions, or is not on "
        "the main thread"
    ),
    other_loops="nothing",
)

# Looks, a quarter of a second apart, at a loop that waits for what cannot come before its timers do.
_LOOKS = 6


class Deadlock(ProvesStuck):
    """Proves at a standstill that nothing can wake the loop, says why, and cancels the main task."""

    rules: tuple[Rule, ...] = (RULE,)
    why = "AT402: nothing could wake this any more"

    def __init__(self) -> None:
        super().__init__()
        self._waits: frozenset[Any] = frozenset()
        self._same = 0

    def install(self, observer: LoopObserver) -> None:
        observer.on_standstill.append(self._loop_stands_still)
        observer.on_pulse.append(self._loop_waits)
        holders.install(self._patches)
        super().install(observer)

    def _loop_stands_still(self, loop: asyncio.AbstractEventLoop, _: int) -> None:
        __tracebackhide__ = True
        main = main_future(loop)
        if self._scope is None or main is None or not nothing_can_wake(loop):
            return
        self._end(main, partial(self._verdict, loop, main))

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
            self._end(main, partial(self._verdict, loop, main))

    def _verdict(self, loop: asyncio.AbstractEventLoop, main: asyncio.Future[Any]) -> Finding:
        # Some milliseconds of import that only those pay who need the words.
        from shared_testing.verdicts.standstill import verdict

        try:
            return verdict(RULE, main, suspended_in(loop), open_loops(but=loop), self._test)
        except Exception as error:  # noqa: BLE001 - what is proved must be told, even if it cannot be explained
            return Finding(RULE, f"nothing can wake the event loop ({error!r} while looking for the cause)", None)
