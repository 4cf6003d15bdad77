"""The bad days of a real server: latency, throttling, errors and resets, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Weather:
    """Shares (0 to 1) of the requests that go wrong, and how long each takes.

    The same seed gives the same sequence of mishaps; which request meets which one depends on their order.
    """

    latency: float = 0.0
    """The mean of an exponential distribution, in seconds."""
    throttled: float = 0.0
    """Answered by 429 with ``Retry-After``."""
    broken: float = 0.0
    """Answered by 500."""
    reset: float = 0.0
    """The connection is reset instead of an answer."""
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shares = (self.throttled, self.broken, self.reset)
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(f"throttled, broken and reset are shares of the requests, but add up to {sum(shares):g}")
        if self.latency < 0:
            raise ValueError(f"latency={self.latency}: give 0 or more seconds")
        self._random = random.Random(self.seed)  # noqa: S311 - replayable on purpose

    def delay(self) -> float:
        return self._random.expovariate(1 / self.latency) if self.latency else 0.0

    def mishap(self) -> str | None:
        """``throttled``, ``broken``, ``reset``, or None for a request that goes well."""
        draw = self._random.random()
        for name in ("throttled", "broken", "reset"):
            share: float = getattr(self, name)
            if draw < share:
                return name
            draw -= share
        return None
