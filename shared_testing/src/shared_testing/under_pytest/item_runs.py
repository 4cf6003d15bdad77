"""Run one test again and again, each time with function-scoped fixtures of its own.

Fixtures of a wider scope live on between the runs: what is torn down is the test itself, and nothing around it.
"""

from __future__ import annotations

import asyncio
import unittest
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import pytest
from _pytest.runner import CallInfo, check_interactive_exception, get_reraise_exceptions

from shared_testing.detectors.detector import Scope
from shared_testing.exploration.schedule import Schedule
from shared_testing.findings.diagnosis import Allowance, diagnose
from shared_testing.under_pytest.reports import attach
from shared_testing.under_pytest.unraisable import after_test

if TYPE_CHECKING:
    from shared_testing.findings import Finding
    from shared_testing.loop.seen_time import SeenTime
    from shared_testing.loop.survivors import Survivors
    from shared_testing.settings import Mode
    from shared_testing.watch import Watcher

    Phase = Literal["setup", "call", "teardown"]

# What a test says about itself is no failure of a schedule.
_SPOKEN = (pytest.skip.Exception, pytest.xfail.Exception, unittest.SkipTest)


class Found(Exception):
    """The detectors found something in a run whose test passed."""


@dataclass(slots=True)
class Run:
    """How one of them ended."""

    reports: list[pytest.TestReport] = field(default_factory=list)
    error: BaseException | None = None
    """The first that came out, of any phase; or Found."""
    findings: list[Finding] = field(default_factory=list)
    is_last: bool = False
    """To run the test once more makes no sense: it was skipped, or ended from outside."""


class LoopMaker:
    """The loop factory of every explored test: a loop for the schedule that runs just now."""

    def __init__(self) -> None:
        self.schedule: Schedule | None = None
        self.seen: SeenTime | None = None
        """What the code under test takes for the time."""

    def __call__(self) -> asyncio.AbstractEventLoop:
        if self.schedule is None:
            return asyncio.new_event_loop()
        loop = self.schedule.new_event_loop()
        if self.seen is not None:
            self.seen.follow(loop)
        return loop

    def begin(self, schedule: Schedule) -> None:
        self.schedule = schedule
        if self.seen is not None:
            self.seen.forget()


class ItemRuns:
    """Of one item, under the detectors, if there are any."""

    def __init__(
        self,
        item: pytest.Function,
        maker: LoopMaker,
        watching: tuple[Watcher, Survivors] | None,
        mode: Mode,
        allowances: list[Allowance],
    ) -> None:
        self._item: Any = item
        self._maker = maker
        self._watching = watching
        self._mode = mode
        self._allowances = allowances
        self._properties = len(item.user_properties)
        self._began = perf_counter()
        self.found: dict[tuple[str, object], Finding] = {}
        """What any of the runs has found: each rule once for each place."""
        self.first: Run | None = None
        """That in asyncio's own order, before anything could be left behind."""

    def once(self, schedule: Schedule) -> Run:
        self._maker.begin(schedule)
        run = Run()
        if self._watching is not None:
            self._watching[0].begin(Scope(self._item.nodeid, test=self._item))
        try:
            self._phases(run, schedule)
        finally:
            self._maker.schedule = None
        self._look(run)
        self.first = self.first or run
        return run

    def spent(self) -> float:
        """Seconds, in all runs."""
        return perf_counter() - self._began

    def unused_allowances(self) -> list[Finding]:
        codes = {code for code, _ in self.found}
        return diagnose([], [each for each in self._allowances if each.rule.code not in codes])

    def end(self, nextitem: pytest.Item | None, reports: list[pytest.TestReport]) -> None:
        """Tear down what the next test does not need, and add to the reports what comes of it.

        The hooks for the test's own teardown have run, each time.
        """
        item = self._item
        if item.session.shouldfail or item.session.shouldstop:
            nextitem = None
        if self._watching is not None:
            self._watching[0].begin(Scope(item.nodeid, test=item))
        tear_down = partial(item.session._setupstate.teardown_exact, nextitem)
        capture = item.config.pluginmanager.getplugin("capturemanager")
        with capture.item_capture("teardown", item) if capture is not None else nullcontext():
            call = CallInfo.from_call(tear_down, "teardown", reraise=get_reraise_exceptions(item.config))
        if call.excinfo is not None:
            reports[-1] = item.ihook.pytest_runtest_makereport(item=item, call=call)
        if self._watching is not None:
            watcher, survivors = self._watching
            attach(reports, diagnose(watcher.end(), []), self._mode)
            after_test(item, reports, survivors)

    def ended_from_outside(self, error: BaseException) -> Run:
        """A signal's handler has raised between two phases: the test's time is over."""
        item = self._item
        run = Run(is_last=True)
        tear_down = partial(item.session._setupstate.teardown_exact, item.parent)
        for when, act in (("call", partial(_throw, error)), ("teardown", tear_down)):
            call = CallInfo.from_call(act, when, reraise=get_reraise_exceptions(item.config))  # type: ignore[arg-type]
            run.reports.append(item.ihook.pytest_runtest_makereport(item=item, call=call))
        self._maker.schedule = None
        self._look(run)
        return run

    def _phases(self, run: Run, schedule: Schedule) -> None:
        item = self._item
        if not item._request:
            _renew_instance(item)
            item._initrequest()
        # Each run would add to what the one before has said.
        item._report_sections.clear()
        del item.user_properties[self._properties :]
        try:
            if self._phase(run, schedule, "setup"):
                self._phase(run, schedule, "call")
            if schedule.loop is not None:
                # The test has ended: what is to be explored is what it did, not how it is cleaned up after.
                schedule.loop.follow(Schedule())
            # Up to the parent: then the test is torn down, and the fixtures around it are not.
            self._phase(run, schedule, "teardown", nextitem=item.parent)
        finally:
            item._request = False
            item.funcargs = None

    def _phase(self, run: Run, schedule: Schedule, when: Phase, **given: Any) -> bool:
        """As pytest does it; but a debugger is not for runs that nobody will see."""
        item = self._item
        hook = getattr(item.ihook, f"pytest_runtest_{when}")
        call = CallInfo.from_call(partial(hook, item=item, **given), when, reraise=get_reraise_exceptions(item.config))
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        if schedule.recorder is not None and check_interactive_exception(call, report):
            item.ihook.pytest_exception_interact(node=item, call=call, report=report)
        run.reports.append(report)
        if call.excinfo is None:
            return True
        error = call.excinfo.value
        if isinstance(error, _SPOKEN) or _is_from_outside(error):
            run.is_last = True
        elif run.error is None:
            run.error = error
        return False

    def _look(self, run: Run) -> None:
        if self._watching is None:
            return
        watcher, survivors = self._watching
        stuck: Finding | None = getattr(run.error, "finding", None)
        found = [*([stuck] if stuck is not None else []), *watcher.end()]
        after_test(self._item, run.reports, survivors)
        for each in found:
            self.found.setdefault((each.rule.code, each.site or each.symptom), each)
        codes = {each.rule.code for each in found}
        told = diagnose(found, [each for each in self._allowances if each.rule.code in codes])
        run.findings = [each for each in told if each is not stuck]
        if run.findings and run.error is None and self._mode == "error" and not run.is_last:
            run.error = Found("\n\n".join(map(str, run.findings)))


def _renew_instance(item: Any) -> None:
    """Each test of a class has an instance of its own, and so has each run."""
    if getattr(item.obj, "__self__", None) is item.instance is not None:
        del item._instance
        item._obj = None


def _throw(error: BaseException) -> None:
    raise error


def _is_from_outside(error: BaseException) -> bool:
    """pytest-timeout has ended the run: it took too long for the user, whatever the schedule."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") == "pytest_timeout":
            return True
        traceback = traceback.tb_next
    return False
