"""What the page shows of a run, gathered from the reports as they come: in the process that has them all."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared_testing.findings.json_lines import REPORT_KEY
from shared_testing.page.source_lines import source_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SEEN_KEY = "async_seen"
"""The attribute of a test's report that holds what only the page shows, as plain data."""

_MOST_MESSAGE = 600
_MOST_TIMELINES = 1_200_000
"""So many characters of timelines a page holds. For tests beyond, only the sentences are kept."""

# The worst of a test's three reports is what is said of it.
_RANK = ("passed", "xpassed", "skipped", "xfailed", "failed", "error")


class Collected:
    """The tests of a run."""

    def __init__(self, start: Path) -> None:
        """`start`: the folder from which files are named."""
        self._start = start
        self.tests: dict[str, dict[str, Any]] = {}
        self._timelines = 0

    def add(self, report: Any) -> None:
        """One of a test's three reports."""
        test = self._test(report.nodeid)
        outcome = _outcome(report)
        # Plugins have outcomes of their own (a rerun): what is said of the test is what follows.
        if outcome in _RANK and _RANK.index(outcome) > _RANK.index(test["outcome"]):
            test["outcome"] = outcome
        test["seconds"] = round(test["seconds"] + report.duration, 4)
        if found := getattr(report, REPORT_KEY, None):
            test["findings"] = test.get("findings", []) + [self._finding(each) for each in found]
        elif report.failed:
            test["message"] = self._message(report)
        self._add_seen(test, getattr(report, SEEN_KEY, {}))

    def add_uncollected(self, report: Any) -> None:
        """A file, say, that cannot be imported."""
        self._test(report.nodeid or "collection").update(outcome="error", message=self._message(report))

    def _test(self, name: str) -> dict[str, Any]:
        return self.tests.setdefault(name, {"id": name, "outcome": "passed", "seconds": 0.0})

    def _finding(self, found: Mapping[str, Any]) -> dict[str, Any]:
        path, kept = found["path"], ("code", "symptom", "line", "function", "cause", "fix", "details")
        shown = self._shown(path) if path is not None else None
        return {name: found[name] for name in kept} | {"lines": source_lines(path, found["line"]), "path": shown}

    def _message(self, report: Any) -> str:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = str(report.longrepr)
        if crash is not None:
            text = f"{self._shown(crash.path)}:{crash.lineno}\n{crash.message}"
        return text if len(text) <= _MOST_MESSAGE else f"{text[:_MOST_MESSAGE]} …"

    def _shown(self, path: str) -> str:
        near = os.path.relpath(path, self._start)
        return path if near.startswith(os.pardir) else near

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
