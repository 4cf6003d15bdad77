"""One test item under many schedules: the search, and what its one report says."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.detectors.leaked_state import RULE as LEAKED_STATE
from shared_testing.exploration.joins import JOINS_NOTICED
from shared_testing.exploration.report import finding_of
from shared_testing.exploration.schedule import Schedule
from shared_testing.exploration.timeline import Recorder
from shared_testing.exploration.token import StaleToken
from shared_testing.findings import Finding, site_of_code
from shared_testing.findings.diagnosis import diagnose
from shared_testing.plugin import SETTINGS, SURVIVORS, WATCHER, allowances
from shared_testing.under_pytest.explorable import shared_fixtures
from shared_testing.under_pytest.exploring import EXPLORED, PLAN, SESSION, Session, loop_maker
from shared_testing.under_pytest.html_page import WANTED
from shared_testing.under_pytest.item_runs import Found, ItemRuns, Run
from shared_testing.under_pytest.reports import attach, fail, main_report, note, tell_above
from shared_testing.under_pytest.unraisable import outcomes_in_finalizers

if TYPE_CHECKING:
    from shared_testing.exploration.result import Result
    from shared_testing.exploration.search import Search
    from shared_testing.exploration.timeline import Timeline
    from shared_testing.settings import Settings

_MOST_LINES = 40
_LONG = 2.0
"""Seconds after which somebody who looks at a terminal wants to see that something happens."""
_AGAIN = 0.1


@dataclass(slots=True)
class _Outcome:
    run: Run
    """Whose reports are shown."""
    result: Result
    trouble: str = ""
    """Why there was no exploration, though it was asked for."""
    refused: str = ""
    """Why there was none, where it was not."""
    own_order: Timeline | None = None
    """The run in asyncio's own order, for the page that shows it beside the failing one."""


def explore_item(item: pytest.Function, nextitem: pytest.Item | None) -> None:
    """In the place of pytest's own protocol."""
    config = item.config
    settings = config.stash[SETTINGS]
    watcher = config.stash.get(WATCHER, None)
    watching = (watcher, config.stash[SURVIVORS]) if watcher is not None else None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    runs = ItemRuns(item, loop_maker(item), watching, settings.findings, allowances(item))
    outcome = _Exploration(item, runs).outcome()
    reports = outcome.run.reports
    _tell(item, outcome, runs, settings)
    if WANTED in config.stash and outcome.result.failure is not None:
        _show(item, outcome)
    runs.end(nextitem, reports)
    main = main_report(reports)
    main.duration = max(main.duration, runs.spent() - sum(each.duration for each in reports if each is not main))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


class _Exploration:
    """Asks the search, and runs the item."""

    def __init__(self, item: pytest.Function, runs: ItemRuns) -> None:
        self._item = item
        self._runs = runs
        self._session: Session = item.config.stash[SESSION]
        self._plan = item.stash[PLAN]

    def outcome(self) -> _Outcome:
        if (replay := self._session.replay) is not None:
            return self._beside_own_order(self._searched(self._plan.search(replay=replay)))
        # What failed the last time is most likely to fail again.
        if (known := self._session.known.get(self._item.nodeid)) is not None:
            outcome = self._retried(known)
            if outcome is not None:
                return self._beside_own_order(outcome)
        outcome = self._searched(self._plan.search())
        if outcome.result.deviations or outcome.result.cancelled:
            self._check(outcome)
        return outcome

    def _retried(self, token: str) -> _Outcome | None:
        """A token that is none any more, or passes, is forgotten without a word."""
        try:
            outcome = self._searched(self._plan.search(replay=token))
        except StaleToken:
            return None
        return outcome if outcome.result.failure is not None or outcome.run.is_last else None

    def _searched(self, search: Search) -> _Outcome:
        terminal = self._item.config.pluginmanager.getplugin("terminalreporter")
        progress = Progress(terminal, self._item.name, self._plan.schedules)
        failed = passed = run = Run()
        try:
            with outcomes_in_finalizers() as lost, JOINS_NOTICED:
                while True:
                    try:
                        schedule = search.next()
                    except ValueError as error:
                        # The token no longer fits, or there is nobody of that name to cancel.
                        return _Outcome(run, search.result, trouble=str(error))
                    if schedule is None:
                        break
                    run = self._runs.once(schedule)
                    if run.is_last:
                        return _Outcome(run, search.result)
                    if lost:
                        raise lost[0]
                    search.ended(run.error)
                    failed, passed = (run, passed) if run.error is not None else (failed, run)
                    progress.tell(search.result.schedules)
        except pytest.fail.Exception as error:
            return _Outcome(self._runs.ended_from_outside(error), search.result)
        finally:
            search.close()
            progress.end()
        return _Outcome(failed if search.result.failure is not None else passed, search.result)

    def _check(self, outcome: _Outcome) -> None:
        """Is it the schedule? A test that leaves something behind fails in asyncio's own order too, the second time."""
        recorder = self._recorder()
        again = self._runs.once(Schedule(recorder=recorder))
        if again.error is None or again.is_last:
            outcome.own_order = recorder.timeline if recorder is not None else None
            return
        marked = self._item.get_closest_marker("explore") is not None
        outcome.result.failure = None
        outcome.result.token = None
        outcome.result.timeline.steps.clear()
        outcome.refused = "fails when it is run twice"
        if marked:
            outcome.run = again
            again.findings.append(self._unrepeatable())
        elif self._runs.first is not None:
            outcome.run = self._runs.first

    def _beside_own_order(self, outcome: _Outcome) -> _Outcome:
        """A replay is one run; whoever looks at the page wants to see the other one too."""
        result, recorder = outcome.result, self._recorder()
        if recorder is not None and result.failure is not None and (result.deviations or result.cancelled):
            beside = self._runs.once(Schedule(recorder=recorder))
            outcome.own_order = recorder.timeline if beside.error is None else None
        return outcome

    def _recorder(self) -> Recorder | None:
        return Recorder() if WANTED in self._item.config.stash else None

    def _unrepeatable(self) -> Finding:
        shared = shared_fixtures(self._item)
        return Finding(
            LEAKED_STATE,
            f"{self._item.name!r} passes the first time, and fails when it is run once more, in asyncio's own order",
            site_of_code(self._item.function.__code__),
            cause="each schedule is a run of the test, and one run has left behind what the next one met",
            fix="make what it changes anew in a function-scoped fixture, or put it back at the end of the test",
            details=(f"shared by all runs: {', '.join(shared)}",) if shared else (),
        )


def _tell(item: pytest.Function, outcome: _Outcome, runs: ItemRuns, settings: Settings) -> None:
    run, result = outcome.run, outcome.result
    reports = run.reports
    if outcome.trouble:
        fail(main_report(reports), outcome.trouble)
    elif result.failure is not None and (result.deviations or result.cancelled):
        _tell_schedule(item, run, result)
    elif settings.findings == "warn":
        attach(reports, diagnose(list(runs.found.values()), []), "warn")
    elif outcome.refused and run is runs.first:
        pass
    else:
        attach(reports, [*_without_race(result, run), *runs.unused_allowances()], settings.findings)
    says = "" if run.is_last or outcome.trouble or outcome.refused else _says(item, result)
    main_report(reports).__dict__[EXPLORED] = {
        "schedules": result.schedules,
        "says": says,
        "token": result.token,
        "refused": outcome.refused,
    }
    if says:
        reports[-1].user_properties.append(("explored", says))


def _without_race(result: Result, run: Run) -> list[Finding]:
    """A standstill in asyncio's own order is AT402, as it would be without exploration."""
    stuck: Finding | None = getattr(result.failure, "finding", None)
    return [*([stuck] if stuck is not None else []), *run.findings]


def _says(item: pytest.Function, result: Result) -> str:
    if result.failure is not None:
        return "" if result.token is None else f"fails, replay it with --replay={result.token}"
    shared = shared_fixtures(item)
    return result.guarantee + (f"; all shared {', '.join(shared)}" if shared else "")


def _tell_schedule(item: pytest.Function, run: Run, result: Result) -> None:
    """The failure that only some schedules show."""
    raced = finding_of(result)
    shared = shared_fixtures(item)
    more = (
        f"pytest {shlex.quote(_from_here(item))} --replay={result.token}",
        *([f"all schedules shared {', '.join(shared)}"] if shared else ()),
        *(f"not controlled: {each}" for each in result.uncontrolled[:2]),
    )
    if isinstance(result.failure, Found):
        # Its details are the schedule's.
        findings = [each._replace(details=(*each.details, *raced.details, *more)) for each in run.findings]
    else:
        # A lost update that the detector has seen too is the same race.
        others = [each for each in run.findings if each.rule.code != raced.rule.code]
        findings = [raced._replace(details=(*raced.details, *more)), *others]
    steps = [_as_data(step) for step in result.timeline.steps]
    note(run.reports, findings, token=result.token, schedules=result.schedules, timeline=steps)
    lines = "\n\n".join(map(str, findings)).splitlines()[: _MOST_LINES - 6]
    lines += ["what ran; * = asyncio itself would have let another one go first:"]
    lines += result.timeline.lines(_MOST_LINES - len(lines))[: _MOST_LINES - len(lines)]
    failed = next((each for each in run.reports if each.failed), None)
    if failed is not None:
        tell_above(failed, "\n".join(lines))
    elif isinstance(result.failure, Found):
        fail(main_report(run.reports), "\n".join(lines))
    else:
        tell_above(main_report(run.reports), "\n".join(lines))


def _show(item: pytest.Function, outcome: _Outcome) -> None:
    """For the page of ``--findings-html``."""
    from shared_testing.page.collected import SEEN_KEY
    from shared_testing.page.schedules import schedule_data

    result = outcome.result
    command = f"pytest {shlex.quote(_from_here(item))} --replay={result.token}"
    seen = main_report(outcome.run.reports).__dict__.setdefault(SEEN_KEY, {})
    seen["schedule"] = schedule_data(result, outcome.own_order, command)


def _from_here(item: pytest.Function) -> str:
    """How to name it on the command line of who has started this run: a node's id begins at the root."""
    path = os.path.relpath(item.path, item.config.invocation_params.dir)
    return "::".join([path, *item.nodeid.split("::")[1:]])


def _as_data(step: Any) -> dict[str, Any]:
    return {
        "at": step.at,
        "task": step.task,
        "number": step.number,
        "begins": _place(step.begins),
        "ends": _place(step.ends),
        "deviates": step.deviates,
    }


def _place(site: Any) -> dict[str, Any] | None:
    return None if site is None else {"path": site.path, "line": site.line, "source": site.source}


class Progress:
    """On a terminal, for a search that takes long."""

    def __init__(self, terminal: Any, name: str, budget: int | None) -> None:
        self._terminal = terminal
        self._silent = terminal is None or not terminal.isatty
        self._name = name
        self._of = f" of {budget}" if budget else ""
        self._next = perf_counter() + _LONG
        self._shown = False

    def tell(self, schedules: int) -> None:
        if self._silent or (now := perf_counter()) < self._next:
            return
        self._next = now + _AGAIN
        if not self._shown:
            self._terminal.ensure_newline()
        self._shown = True
        self._terminal.rewrite(f"{self._name}: {schedules}{self._of} schedules", erase=True)

    def end(self) -> None:
        if self._shown:
            self._terminal.rewrite("", erase=True)
            # The name of the file has scrolled away: it is written once more.
            self._terminal.currentfspath = None
