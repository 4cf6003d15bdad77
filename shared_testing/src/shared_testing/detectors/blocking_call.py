"""AT201: a call waits, and keeps the event loop from serving anybody else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.async_alternatives import async_alternative
from shared_testing.evidence.call_sites import CallSite, call_site
from shared_testing.evidence.interrupts import EndedByToolkit
from shared_testing.evidence.thread_state import all_wait_for_locks
from shared_testing.evidence.waiting_calls import WaitingCalls
from shared_testing.findings import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.audited_calls import Wait
    from shared_testing.evidence.steps import Spent, StepMonitor
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT201",
    title="blocking call on the event loop",
    cause="no other task, timer or connection is served until this call returns",
    fix="await its async counterpart, or call it by await asyncio.to_thread(...)",
    explanation=(
        "An event loop is one thread. While a call waits in it, everything else waits too: gather() runs its tasks\n"
        "one after the other, timeouts fire late, heartbeats are missed. In a test with one task nobody notices."
    ),
    bad="""
async def fetch(user):
    time.sleep(2)
""",
    good="""
async def fetch(user):
    await asyncio.sleep(2)
""",
    lint="ASYNC210, ASYNC220 to ASYNC222, ASYNC230, ASYNC251 (ruff) see calls that stand in the async function itself",
    not_seen=(
        "a file that is opened in a test's own code, by a library, or to be kept or gone through by line, unless it "
        "takes long; a connection to this machine, or a lookup of its name, in a test's own code; a loop in another "
        "thread than the test's; calls in C that wait for less than a tenth of a second (a lock: 0.03 s); what "
        "call_soon() calls without a function of yours in between; on uvloop, whose steps cannot be looked at: locks, "
        "calls in C, and the end of a call that waits for ever; such calls are ended on Linux only, and only if every "
        "other thread waits too"
    ),
    other_loops="part",
)

# A wait as short as this, for a thread or process that is about to end, is nobody's trouble in a test's own body.
_BRIEF = 0.05

# Nor is it, in any code, to wait for an idle thread to leave.
_LEAVING = 0.02

# Seconds that a lock, or a sleep that was imported before us, may take: both wait on purpose.
_ON_PURPOSE = 0.03

# What a call in C did, whose name nobody knows.
_LOCK, _SLEEP, _SYSTEM = "waiting for a thread's lock", "a sleep", "waiting for the system"
_INSTEAD_OF = {_LOCK: "threading.Lock", _SLEEP: "time.sleep"}

# Everything runs by seconds here: these start a process, and wait for all that it does.
_NEVER_BRIEF = (
    "subprocess.run",
    "subprocess.call",
    "subprocess.check_",
    "subprocess.get",
)

_STUCK_AFTER = 1.0


class BlockingCall(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self, monitor: StepMonitor, block_seconds: float) -> None:
        self._monitor = monitor
        self._block_seconds = block_seconds
        self._calls = WaitingCalls(self._noted)
        self._scope: Scope | None = None
        self._found: dict[tuple[str, int], Finding] = {}
        self._crash: Exception | None = None

    def install(self, observer: LoopObserver) -> None:
        self._monitor.install()
        self._monitor.stuck.append(self._stuck)
        self._calls.install()

    def uninstall(self) -> None:
        self._calls.uninstall()
        self._monitor.stuck.remove(self._stuck)
        self._monitor.uninstall()

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._found.clear()
        self._monitor.look_at_this_thread(scope.test)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        self._scope = None
        for step in self._monitor.steps():
            for spot, spent in list(step.items()):
                self._sampled(spot, spent)
        crash, self._crash = self._crash or self._monitor.crash, None
        self._monitor.crash = None
        if crash is not None:
            raise crash
        return [_with_use(each) if each.symptom.startswith("open()") else each for each in self._found.values()]

    def _noted(self, wait: Wait) -> None:
        """On the stack of the user's call: it must not fail here."""
        try:
            if self._scope is not None and threading.get_ident() == self._monitor.thread:
                self._judge(wait)
        except Exception as error:  # noqa: BLE001 - told when the test has ended
            self._crash = error

    def _judge(self, wait: Wait) -> None:
        spot = call_site(wait.frame, wait.raw, self._monitor.tests)
        if spot is None or (wait.file and (not spot.direct or (spot.api == "open" and spot.bit_by_bit))):
            return
        if spot.place != "code" and (wait.file or wait.local):
            return
        if wait.seconds is not None and _is_brief(spot, wait.seconds, wait.timed_out):
            return
        self._add(spot, _said(spot.api, wait.arguments if spot.api == wait.raw else ""))

    def _sampled(self, spot: CallSite, spent: Spent) -> None:
        factor = 1 if spot.place == "code" else 5
        if max(spent.locked, spent.slept) > _ON_PURPOSE or spent.blocked > self._block_seconds * factor:
            name = _said(spot.api) if spot.api else _LOCK if spent.locked else _SLEEP if spent.slept else _SYSTEM
            self._add(spot, name, details=(f"it was seen to wait for {spent.blocked:.2f} s, without computing",))

    def _add(self, spot: CallSite, name: str, **words: Any) -> None:
        site = spot.site
        if (site.path, site.line) not in self._found:
            words.setdefault("fix", async_alternative(spot.api or _INSTEAD_OF.get(name, "")))
            self._found[site.path, site.line] = Finding(RULE, f"{name} blocks the event loop", site, **words)

    def _stuck(self, seconds: float) -> None:
        """On the watchdog's thread: end the wait if it is proved that nothing else will."""
        monitor = self._monitor
        if seconds < _STUCK_AFTER or self._scope is None or not monitor.can_interrupt():
            return
        if all_wait_for_locks(besides=monitor.watchdog):
            monitor.interrupt(self._end_call)

    def _end_call(self, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        spot = call_site(frame, "", self._monitor.tests)
        if spot is None:
            return
        self._found.pop((spot.site.path, spot.site.line), None)
        name = _said(spot.api) if spot.api else _LOCK
        self._add(spot, name, cause=_why_for_ever(spot.api), fix=_instead_of_ever(spot.api), instead=True)
        raise EndedByToolkit(f"{name} at {spot.site} would have waited for ever: nothing else runs that could end it")


def _with_use(finding: Finding) -> Finding:
    """Opening takes less than the reading that follows."""
    # It reads source, which only those pay for who need it.
    from shared_testing.findings.written import used_after_opening

    used = used_after_opening(finding.site) if finding.site is not None else None
    note = (f"the file is used at {used}: {used.source}",) if used is not None else ()
    return finding._replace(details=(*finding.details, *note))


def _said(api: str, arguments: str = "") -> str:
    if api.endswith(".__exit__"):
        return f"leaving the 'with' of {api.removesuffix('.__exit__')}"
    return f"{api}({arguments})"


def _is_brief(spot: CallSite, seconds: float, timed_out: bool) -> bool:
    if spot.api == "threading.Thread.join" and seconds < _LEAVING:
        return True
    return spot.place != "code" and seconds < _BRIEF and not timed_out and not spot.api.startswith(_NEVER_BRIEF)


def _why_for_ever(api: str) -> str:
    if "Future" in api:
        return "the result must come from the loop's own thread, which waits here; the call was ended"
    return "whoever should end this wait needs the loop's own thread, which waits here; the call was ended"


def _instead_of_ever(api: str) -> str:
    if "Future" in api:
        return "await the coroutine itself; run_coroutine_threadsafe() is for other threads"
    return async_alternative(api or "threading.Lock")
