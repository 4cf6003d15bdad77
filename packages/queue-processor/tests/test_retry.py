"""The waits between attempts."""

from __future__ import annotations

import random

import pytest

from queue_processor import Backoff


class Highest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


def test_the_ceiling_doubles_up_to_the_longest_wait() -> None:
    """Each failure doubles what the wait may be, and no number of failures makes it longer than `longest`."""
    backoff = Backoff(first=1, longest=5, random=Highest())
    assert [backoff.seconds(failures) for failures in (1, 2, 3, 4, 5000)] == [1, 2, 4, 5, 5]


def test_the_jitter_is_full_and_repeatable() -> None:
    """The wait is drawn from the whole range, by the random generator that was given."""
    first, second = (Backoff(first=1, random=random.Random(7)) for _ in range(2))
    waits = [first.seconds(1) for _ in range(50)]
    assert waits == [second.seconds(1) for _ in range(50)]
    assert min(waits) < 0.2
    assert max(waits) > 0.8


@pytest.mark.parametrize(("first", "longest"), [(-1, 1), (2, 1)])
def test_a_backoff_that_makes_no_sense_is_refused(first: float, longest: float) -> None:
    """The bounds are checked when they are written, not at the first failure."""
    with pytest.raises(ValueError, match="0 <= first <= longest"):
        Backoff(first=first, longest=longest)
