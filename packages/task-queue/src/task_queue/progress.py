"""How far a run has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """What the `progress` callback is told each time a task has ended."""

    done: int
    """Tasks that have ended, the failed ones included."""
    failed: int
    """Tasks that have ended without a value."""
    running: int
    """Tasks that are running now, or waiting for their next attempt."""
    total: int | None
    """How many there are in all; None when that is not known (a generator does not tell)."""
