"""A rule: one pitfall of async tests, with its code and the words for it."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Rule(NamedTuple):
    """One pitfall. Frozen text: what a detector sees of it is a Finding."""

    code: str
    """Public: users write it in markers and settings."""
    title: str
    cause: str
    """Why it happens, in one sentence; a finding may say it more exactly."""
    fix: str
    """What to do, in one sentence; a finding may say it more exactly."""
    explanation: str
    """What goes wrong if nothing is done, for the page that ``pytest --explain`` prints."""
    bad: str
    """An example of the pitfall."""
    good: str
    """The same, mended."""
    lint: str
    """The lint rule that sees it without running, or why there is none."""
    not_seen: str
    """Where the detector is blind."""
    other_loops: Literal["all", "part", "nothing"] = "all"
    """What of it is seen on a loop that is not one of asyncio's own, such as uvloop's."""

    def page(self) -> str:
        """The text of ``pytest --explain CODE``."""
        return (
            f"{self.code} {self.title}\n\n"
            f"{self.explanation}\n\n"
            f"Cause: {self.cause}\n"
            f"Fix:   {self.fix}\n\n"
            f"Bad:\n\n{_indented(self.bad)}\n\n"
            f"Good:\n\n{_indented(self.good)}\n\n"
            f"Seen without running by: {self.lint}\n\n"
            f"Not seen: {self.not_seen}\n"
        )


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in code.strip("\n").splitlines())
