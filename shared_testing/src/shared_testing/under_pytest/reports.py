"""Findings where they are read: on the test's own report, above anything else it has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _pytest._code.code import ExceptionChainRepr, ReprEntry

from shared_testing.findings.json_lines import REPORT_KEY, as_json

if TYPE_CHECKING:
    import pytest

    from shared_testing.findings import Finding
    from shared_testing.settings import Mode

SECTION = "async findings"


def attach(reports: list[pytest.TestReport], findings: list[Finding], mode: Mode) -> None:
    """What the detectors found in this test does to it what the user has chosen."""
    if not findings:
        return
    note(reports, findings)
    if mode == "warn":
        return
    text = "\n\n".join(map(str, findings))
    report = main_report(reports)
    instead = any(each.instead for each in findings)
    if report.failed and not instead:
        tell_above(report, text)
    elif report.passed or instead:
        fail(report, text)
    else:
        report.sections.append((SECTION, text))


def note(reports: list[pytest.TestReport], findings: list[Finding], **more: Any) -> None:
    """For programs. `more`: what else is known of them, as plain data."""
    # The JUnit report takes a test's properties from its last report.
    reports[-1].user_properties += [("async finding", f"{each.rule.code} {each.site}") for each in findings]
    # Plain data: under xdist the report travels to the controller as JSON.
    known = main_report(reports).__dict__.setdefault(REPORT_KEY, [])
    known += [{**as_json(each), **more} for each in findings]


def main_report(reports: list[pytest.TestReport]) -> pytest.TestReport:
    """That of the test's own function; of its setup, if it did not come to that."""
    return next((each for each in reports if each.when == "call"), reports[0])


def fail(report: pytest.TestReport, text: str) -> None:
    """Let the test fail, for this reason alone."""
    report.outcome = "failed"
    report.longrepr = text
    # With this mark left in place the session would not count the failure, and exit with 0.
    report.__dict__.pop("wasxfail", None)


def tell_above(report: pytest.TestReport, text: str) -> None:
    """Above the traceback of a test that has failed; beside the reason of one that was expected to."""
    if not report.failed:
        report.sections.append((SECTION, text))
        return
    longrepr = report.longrepr
    if isinstance(longrepr, ExceptionChainRepr):
        first = longrepr.chain[0][0]
        told = ReprEntry([*text.splitlines(), ""], None, None, None, "value")
        first.reprentries = [told, *first.reprentries]
    else:
        report.longrepr = f"{text}\n\n{longrepr}"
