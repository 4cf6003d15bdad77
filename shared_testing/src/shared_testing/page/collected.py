"""What the page shows of a run, gathered from the reports as they come: in the process that has them all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared_testing.findings.json_lines import REPORT_KEY
from shared_testing.page.source_lines import source_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEEN_KEY = "async_seen"
"""The attribute of a test's report that holds what only the page shows, as plain data."""

_MOST_MESSAGE = 600
_MOST_TIMELINES = 1_200_000
"""So many characters of timelines a page holds. For tests beyond, only the sentences are kept."""

# The worst of a test's three reports is what is said of it.
_RANK = ("passed", "xpassed", "skipped", "xfailed", "failed", "error")


class Collected:
    """The tests of a run."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}
        self._timelines = 0

    def add(self, report: Any) -> None:
        """One of a test's three reports."""
        test = self.tests.get(report.nodeid)
        if test is None:
            test = self.tests[report.nodeid] = {"id": report.nodeid, "outcome": "passed", "seconds": 0.0}
        outcome = _outcome(report)
        if _RANK.index(outcome) > _RANK.index(test["outcome"]):
            test["outcome"] = outcome
        test["seconds"] = round(test["seconds"] + report.duration, 4)
        if found := getattr(report, REPORT_KEY, None):
            test["findings"] = test.get("findings", []) + [_finding(each) for each in found]
        elif report.failed and (message := _message(report)):
            test["message"] = message
        self._add_seen(test, getattr(report, SEEN_KEY, {}))

    def _add_seen(self, test: dict[str, Any], seen: Mapping[str, Any]) -> None:
        test |= seen
        if "tasks" in seen and not test.get("findings"):
            size = len(json.dumps(seen["tasks"]))
            self._timelines += size
            if self._timelines > _MOST_TIMELINES:
                self._timelines -= size
                test["tasks"] = {**seen["tasks"], "tasks": [], "places": [], "leftOut": True}

    def data(self, page_of: Callable[[str], str], *, command: str, mode: str, ended: str = "") -> dict[str, Any]:
        """For the page. `page_of`: the page of a rule; `mode`: that of the findings; `ended`: why the run was short."""
        codes = sorted({each["code"] for test in self.tests.values() for each in test.get("findings", ())})
        return {
            "when": datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z"),
            "command": command,
            "mode": mode,
            "ended": ended,
            "tests": list(self.tests.values()),
            "rules": {code: page_of(code) for code in codes},
        }


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return str(report.outcome)


def _finding(found: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("code", "symptom", "path", "line", "function", "cause", "fix", "details")
    return {name: found[name] for name in kept} | {"lines": source_lines(found["path"], found["line"])}


def _message(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = f"{crash.path}:{crash.lineno}\n{crash.message}" if crash is not None else str(report.longrepr)
    return text if len(text) <= _MOST_MESSAGE else f"{text[:_MOST_MESSAGE]} …"
