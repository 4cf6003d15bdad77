"""What a test has set up and did not use, or used and did not set up: told here, and reported by AT602.

A fake tells it from wherever it notices, also from a teardown; without a detector nobody listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_testing.findings.site import Site


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One of them, in words."""

    symptom: str
    site: Site | None
    cause: str
    fix: str


listeners: list[Callable[[Mismatch], object]] = []


def tell(mismatch: Mismatch) -> None:
    for listener in listeners:
        listener(mismatch)
