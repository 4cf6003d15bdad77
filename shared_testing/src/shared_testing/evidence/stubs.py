"""What a test has set up and did not use, used and did not set up, or may not set up: told here, and reported.

A fake tells it from wherever it notices, also from a teardown; without a detector nobody listens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_testing.findings.site import Site


class Mismatch(NamedTuple):
    """One of them, in words."""

    symptom: str
    site: Site | None
    cause: str
    fix: str
    code: Literal["AT601", "AT602"] = "AT602"
    unused: bool = False
    """Set up and not used: to be expected of a test that failed before it came to it."""


listeners: list[Callable[[Mismatch], object]] = []


def tell(mismatch: Mismatch) -> None:
    for listener in listeners:
        listener(mismatch)
