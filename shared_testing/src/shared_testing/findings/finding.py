"""A finding: one rule broken, at one place, seen by one symptom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shared_testing.findings.rule import Rule
    from shared_testing.findings.site import Site


class Finding(NamedTuple):
    """Evidence, ready to be read."""

    rule: Rule
    symptom: str
    """What is wrong, naming the thing: ``task 'Queue._poll' is still running``."""
    site: Site | None
    """The user's line to look at; None when there is none to name."""
    cause: str = ""
    """More exact than the rule's; empty for the rule's."""
    fix: str = ""
    details: tuple[str, ...] = ()
    """Further lines, for what five lines cannot say: who waits for whom."""
    shows_at: Site | None = None
    """The line where it came to light, if that is another one: what is told there follows from this."""
    follows_from: str = ""
    """The code of another rule: what is found by it in the same test explains this."""
    instead: bool = False
    """It takes the place of the test's own report, which errs about the cause; a test skipped for it fails."""

    def __str__(self) -> str:
        """Five lines: code and symptom, place, source, cause, fix; then the details."""
        lines = [f"{self.rule.code} {self.symptom}"]
        if self.site is not None:
            lines += [f"  --> {self.site}", f"   |   {self.site.source}"]
        lines += [f"  cause: {self.cause or self.rule.cause}", f"  fix:   {self.fix or self.rule.fix}"]
        return "\n".join(lines + [f"  note:  {detail}" for detail in self.details])
