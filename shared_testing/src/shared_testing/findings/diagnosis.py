"""From what detectors saw to what is said: what the user has allowed, and what nobody needed to allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared_testing.findings.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared_testing.findings.rule import Rule
    from shared_testing.findings.site import Site


class Allowance(NamedTuple):
    """``@pytest.mark.allow_finding(code, reason=...)``: this finding is meant."""

    rule: Rule
    reason: str
    site: Site | None


def diagnose(findings: Sequence[Finding], allowances: Sequence[Allowance]) -> list[Finding]:
    """What to report: the findings without the allowed ones, and the allowances that nothing used."""
    findings = _without_leftovers(findings)
    allowed = {allowance.rule.code for allowance in allowances}
    found = {finding.rule.code for finding in findings}
    reported = [finding for finding in findings if finding.rule.code not in allowed]
    return reported + [_unused(allowance) for allowance in allowances if allowance.rule.code not in found]


def _without_leftovers(findings: Sequence[Finding]) -> Sequence[Finding]:
    """A test that was ended where it stood has not come to its own cleanup: what it had open says nothing."""
    if not any(finding.rule.code == "AT402" for finding in findings):
        return findings
    return [finding for finding in findings if not finding.rule.code.startswith("AT3")]


def _unused(allowance: Allowance) -> Finding:
    return Finding(
        allowance.rule,
        f"is allowed here, but was not found: {allowance.reason}",
        allowance.site,
        cause="the code was mended, or the mark stands on the wrong test; it would hide the next one",
        fix=f'remove allow_finding("{allowance.rule.code}")',
    )


# A leaked task that gather() made is told where gather() stands already; a coroutine that could not become a task for
# want of a loop is not forgotten.
_TOLD_BY = {"AT301": "AT702", "AT101": "AT502"}


def one_per_cause(findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, without those that another at the same line explains; in the order of the rules."""
    unique = list(dict.fromkeys(findings))
    told = {(finding.rule.code, site) for finding in unique for site in (finding.site, finding.shows_at)}
    left = [each for each in unique if (_TOLD_BY.get(each.rule.code), each.site) not in told]
    codes = {each.rule.code for each in left}
    left = [each for each in left if each.follows_from not in codes]
    return sorted(left, key=lambda finding: finding.rule.code)
