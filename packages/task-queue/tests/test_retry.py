from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from task_queue import AsyncTaskQueue, RetryPolicy

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock


class Longest(random.Random):
    """Always draws the longest wait."""

    def uniform(self, a: float, b: float) -> float:
        return b


async def test_a_flaky_task_succeeds_in_the_end(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """A task that fails twice is called three times, and its result says so."""
    flaky = tasks.flaky(2, OSError("busy"), "done")
    result = await AsyncTaskQueue(retry=RetryPolicy(attempts=3)).process_task("a", flaky)
    assert (result.result, result.attempts, flaky.calls, result.succeeded) == ("done", 3, 3, True)


async def test_each_wait_is_twice_as_long(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """Waits grow by two up to the cap, so a broken server is left alone."""
    policy = RetryPolicy(attempts=6, base=1, cap=5, random=Longest())
    failing = tasks.failing(OSError("down"))
    result = await AsyncTaskQueue(retry=policy).process_task("a", failing)
    assert (result.succeeded, result.attempts) == (False, 6)
    assert result.duration == pytest.approx(1 + 2 + 4 + 5 + 5)


def test_the_jitter_is_full_and_repeatable() -> None:
    """A wait lies anywhere between nothing and its bound, and follows from the given random numbers."""
    one, two = (RetryPolicy(base=1, cap=100, random=random.Random(7)) for _ in range(2))
    delays = [one.delay(4) for _ in range(200)]
    assert delays == [two.delay(4) for _ in range(200)]
    assert 0 <= min(delays) < 1
    assert 7 < max(delays) <= 8
    assert one.delay(10_000) <= 100


async def test_other_errors_are_not_tried_again(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """Only the errors of the policy are worth another try."""
    failing = tasks.failing(KeyError("bug"))
    result = await AsyncTaskQueue(retry=RetryPolicy(retry_on=(OSError,))).process_task("a", failing)
    assert (result.attempts, failing.calls) == (1, 1)


async def test_a_task_keeps_its_place_while_it_waits(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """No other task is sent against a broken server while one waits for its next try."""
    flaky, other = tasks.flaky(1, OSError("busy")), tasks.slow(0)
    queue = AsyncTaskQueue(1, retry=RetryPolicy(base=1, random=Longest()))
    first, second = await queue.process_all([("a", flaky, (), {}), ("b", other, (), {})])
    assert first.duration == 1
    assert first.completed_at is not None
    assert second.started_at == first.completed_at


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0}, {"attempts": True}, {"attempts": 1.5}, {"base": -1}, {"base": float("nan")},
        {"cap": float("inf")}, {"retry_on": OSError}, {"retry_on": (BaseException,)}, {"retry_on": ("x",)},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """The error names the setting."""
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        RetryPolicy(**wrong)
