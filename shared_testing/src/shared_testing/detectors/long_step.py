"""AT202: a step of the loop computes for so long that everybody else is late."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from shared_testing.detectors.detector import Detector
from shared_testing.findings import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.steps import Step, StepMonitor
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT202",
    title="step too long: CPU on the loop",
    cause="no other task, timer or connection is served while this line computes",
    fix="await asyncio.to_thread(...) it (a process pool for pure Python), or split it with await asyncio.sleep(0)",
    explanation=(
        "Between two awaits a task has the loop for itself. If it computes there for long, all others are late: the\n"
        "server does not answer, timeouts fire that should not. The time is the thread's CPU time, so that a busy\n"
        "machine makes no difference."
    ),
    bad="""
async def store(image):
    await db.save(compress(image))
""",
    good="""
async def store(image):
    await db.save(await asyncio.to_thread(compress, image))
""",
    lint="none: how long a computation takes is known only when it runs",
    not_seen=(
        "computing in a test's or a fixture's own code, imports, garbage collection, loops in another thread than "
        "the test's, uvloop, and Windows, which does not tell the CPU time of another thread"
    ),
    other_loops="nothing",
)

# A tracer (coverage, a debugger) makes Python slower; the code is not to blame.
_TRACED_FACTOR = 3


class LongStep(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self, monitor: StepMonitor, step_seconds: float) -> None:
        self._monitor = monitor
        self._step_seconds = step_seconds
        self._limit = step_seconds

    def install(self, observer: LoopObserver) -> None:
        self._monitor.install()

    def uninstall(self) -> None:
        self._monitor.uninstall()

    def start(self, scope: Scope) -> None:
        self._limit = self._step_seconds * (_TRACED_FACTOR if sys.gettrace() is not None else 1)
        self._monitor.look_at_this_thread(scope.test)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        found: dict[tuple[str, int], Finding] = {}
        for step in self._monitor.steps():
            if (finding := self._finding(step)) is not None and finding.site is not None:
                found.setdefault((finding.site.path, finding.site.line), finding)
        return list(found.values())

    def _finding(self, step: Step) -> Finding | None:
        spots = [(spot, spent.cpu) for spot, spent in list(step.items()) if spot.place == "code"]
        total = sum(cpu for _, cpu in spots)
        if total < self._limit:
            return None
        spot, cpu = max(spots, key=lambda each: each[1])
        note = f"{total:.2f} s of CPU in one step, {cpu / total:.0%} of it here; allowed are {self._limit:g} s"
        return Finding(RULE, "a long computation blocks the event loop", spot.site, details=(note,))
