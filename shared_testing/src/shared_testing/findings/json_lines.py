"""Findings for programs: one JSON object per line, and what travels with a test's report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from shared_testing.findings.finding import Finding

REPORT_KEY = "async_findings"
"""The attribute of a test's report that holds its findings as plain data: under xdist it is sent as JSON."""


def as_json(finding: Finding) -> dict[str, Any]:
    site = finding.site
    return {
        "code": finding.rule.code,
        "symptom": finding.symptom,
        "path": site.path if site else None,
        "line": site.line if site else None,
        "function": site.function if site else None,
        "source": site.source if site else None,
        "cause": finding.cause or finding.rule.cause,
        "fix": finding.fix or finding.rule.fix,
        "details": list(finding.details),
        "text": str(finding),
    }


class JsonLines:
    """A pytest plugin that writes the findings of every report to a file, as they come."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def pytest_runtest_logreport(self, report: Any) -> None:
        for finding in getattr(report, REPORT_KEY, ()):
            self._file.write(json.dumps({"test": report.nodeid, **finding}) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
