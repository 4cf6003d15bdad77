"""When to ask again, how long to wait before, and when to stop because everybody fails.

The numbers are those of the AWS SDKs' "standard" mode: three tries, full jitter, and a token bucket.
Full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

# Beyond this the doubling only overflows: max_delay has long been reached.
_MAX_DOUBLINGS = 60

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})


class RetryBudget:
    """A token bucket that stops retries when most requests fail.

    Three tries for each request make three times the load on a server that is already down. A retry takes
    tokens, success gives them back; without tokens the first error is final. One budget may be shared by
    several clients of one server. ``RetryBudget(math.inf)`` never runs dry.
    """

    def __init__(self, capacity: float = 500, *, retry_cost: float = 5, timeout_cost: float = 10) -> None:
        for name, value in (("capacity", capacity), ("retry_cost", retry_cost), ("timeout_cost", timeout_cost)):
            if not value >= 0:
                raise ValueError(f"{name}={value}: give a number of tokens, 0 or more")
        self.capacity = capacity
        self.tokens = capacity
        """How many are left."""
        self.retry_cost = retry_cost
        self.timeout_cost = timeout_cost

    def __repr__(self) -> str:
        return f"<RetryBudget {self.tokens:g} of {self.capacity:g} tokens>"

    def take(self, cost: float) -> bool:
        """Pay for one retry; False if there is not enough."""
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def give_back(self, tokens: float) -> None:
        self.tokens = min(self.capacity, self.tokens + tokens)


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how patiently, an idempotent request is repeated.

    Before try n + 1 the client waits a random time up to ``base_delay * 2 ** (n - 1)`` seconds, at most
    `max_delay`; longer if the server asks for it by ``Retry-After``. It never waits past the deadline of
    the call: when the wait would not fit, the call fails at once.
    """

    attempts: int = 3
    """The most tries of one request, the first included; 1 never repeats."""
    base_delay: float = 0.1
    """Seconds."""
    max_delay: float = 20.0
    """Seconds."""
    statuses: frozenset[int] = RETRIED_STATUSES
    """Which answers are worth another try; a broken connection always is."""
    attempt_timeout: float | None = None
    """Seconds after which a silent try is given up and repeated; None lets a try take all the time there is."""
    budget: RetryBudget | None = None
    """None gives each client a budget of its own."""
    random: Random = field(default_factory=Random, repr=False, compare=False)
    """Where the jitter comes from."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts={self.attempts}: the first try counts, so give 1 or more")
        if not 0 <= self.base_delay <= self.max_delay < math.inf:
            raise ValueError(
                f"base_delay={self.base_delay}, max_delay={self.max_delay}: give seconds, 0 <= base_delay <= max_delay"
            )
        if self.attempt_timeout is not None and not 0 < self.attempt_timeout < math.inf:
            raise ValueError(f"attempt_timeout={self.attempt_timeout}: give seconds above 0, or None for no limit")

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures, drawn at random."""
        ceiling = min(self.max_delay, self.base_delay * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
        return self.random.uniform(0.0, ceiling)


def read_retry_after(value: str | None, date: str | None) -> float | None:
    """The seconds that ``Retry-After`` (RFC 9110, section 10.2.3) asks for; None if it is missing or nonsense.

    An HTTP date is compared to the ``Date`` of the same answer, so a wrong clock on either side does no harm.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    due = _timestamp(text)
    if due is None:
        return None
    now = _timestamp(date) if date else None
    return max(0.0, due - (time.time() if now is None else now))


def _timestamp(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
