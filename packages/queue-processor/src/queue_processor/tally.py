"""What a processor has done so far, in figures for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Of one processor on a message queue, since it was made."""

    done: int = 0
    """Handled and acknowledged."""
    failed: int = 0
    """How often a handler raised."""
    retried: int = 0
    """How often a message was given back to be tried again."""
    dead: int = 0
    """Given up, after too many deliveries or by Reject."""
    in_work: int = 0
    seconds: float = 0.0
    """For how long the processor was at work."""

    @property
    def rate(self) -> float:
        """Messages done per second at work."""
        return self.done / self.seconds if self.seconds else 0.0
