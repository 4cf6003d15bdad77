"""How long to wait before an item is tried again."""

from __future__ import annotations

import random as _random
from dataclasses import dataclass, field

# 2.0**1024 is no float any more; by then every ceiling has long been reached.
_MOST_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential, with full jitter: items that failed together do not come back together.

    The wait before retry n is drawn evenly from 0 to ``min(longest, first * 2**(n - 1))`` seconds
    (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015). ``Backoff(first=0)`` does not wait at all.
    """

    first: float = 0.05
    """Upper bound of the first wait, in seconds."""
    longest: float = 30.0
    """Upper bound of any wait, in seconds."""
    random: _random.Random = field(default_factory=_random.Random, repr=False, compare=False)
    """Where the jitter comes from; give a seeded one to make it repeatable."""

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.longest:
            raise ValueError(
                f"Backoff(first={self.first}, longest={self.longest}): needs 0 <= first <= longest, in seconds"
            )

    def seconds(self, failures: int) -> float:
        """The wait after that many failures (1 or more) of one item."""
        ceiling = min(self.longest, self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
        return self.random.uniform(0, ceiling)
