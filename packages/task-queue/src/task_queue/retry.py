"""When to try a failed task again, and after how long."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter.

    `attempts`: how often a task is called at most, the first time included.
    `base`, `cap`: seconds. Before the n-th retry a random time between 0 and ``min(cap, base * 2 ** (n - 1))``
    is waited, so that tasks which failed together do not come back together. Source: Marc Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    `retry_on`: the errors worth another try. A CancelledError never is, nor the queue's own `timeout`, which
    covers all attempts together; a TimeoutError of the task's own making is an error like any other.
    `random`: where the jitter comes from; ``random.Random(7)`` makes it repeatable.

    Raises ValueError or TypeError for values that make no sense.
    """

    attempts: int = 3
    base: float = 0.1
    cap: float = 30.0
    retry_on: tuple[type[Exception], ...] = (Exception,)
    random: random.Random = field(
        default_factory=random.Random,
        repr=False,
        compare=False,
    )

    def __post_init__(self) -> None:
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int) or self.attempts < 1:
            raise ValueError(f"RetryPolicy(attempts={self.attempts!r}): give a whole number, 1 (no retry) or more")
        for name, value in (("base", self.base), ("cap", self.cap)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"RetryPolicy({name}={value!r}): give seconds, 0 or more")
        if not isinstance(self.retry_on, tuple):
            raise TypeError(f"RetryPolicy(retry_on={self.retry_on!r}): give a tuple of Exception classes")
        for kind in self.retry_on:
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                raise TypeError(f"RetryPolicy(retry_on={self.retry_on!r}): give a tuple of Exception classes")

    def again(self, error: BaseException, attempt: int) -> bool:
        """Whether to try again after `error` in the `attempt`-th attempt."""
        return attempt < self.attempts and isinstance(error, self.retry_on)

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the `attempt`-th attempt."""
        # Beyond 2 ** 60 every cap is reached; 2 ** 2000 would not even be a float.
        return self.random.uniform(0, min(self.cap, self.base * 2.0 ** min(attempt - 1, 60)))
