from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from task_queue import AsyncTaskQueue, Status, TaskResult
from task_queue.result import Trouble, new_result

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock


async def noop() -> None:
    """Never waits."""


async def fail() -> None:
    raise ValueError("wrong")


async def test_a_noop_ends_after_it_began(virtual_clock: VirtualClock) -> None:
    """A duration is above zero and the end after the begin even when the clock did not move (T20)."""
    results = await AsyncTaskQueue().process_all([(number, noop, (), {}) for number in range(1000)])
    for result in results:
        assert result.started_at is not None
        assert result.completed_at is not None
        assert result.completed_at - result.started_at == timedelta(microseconds=1)
        assert result.duration == pytest.approx(1e-6)


async def test_times_are_utc_and_count_by_the_loop(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """Timestamps know their zone, and what lies between them is what the loop's clock counted (T5)."""
    first, second = await AsyncTaskQueue(1).process_all(
        [("a", tasks.slow(3600), (), {}), ("b", tasks.slow(0.25), (), {})]
    )
    assert first.started_at is not None
    assert first.started_at.tzinfo is UTC
    assert first.duration == 3600
    assert second.completed_at == first.started_at + timedelta(seconds=3600.25)
    assert abs(first.started_at - datetime.now(UTC)) < timedelta(minutes=10)


async def test_a_step_of_the_wall_clock_changes_nothing(
    virtual_clock: VirtualClock, tasks: TaskBuilders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock is read once per run: set back meanwhile, it cannot make a duration negative (T5)."""
    readings = iter([1_800_000_000.0, 1_700_000_000.0, 1_600_000_000.0])
    monkeypatch.setattr("time.time", lambda: next(readings))
    result = await AsyncTaskQueue().process_task("a", tasks.slow(2))
    assert result.duration == 2
    assert result.started_at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert result.completed_at == datetime.fromtimestamp(1_800_000_002, UTC)


async def test_a_result_reads_well() -> None:
    """The repr names the task, how it ended and what came out."""
    began, ended = 10.0, 10.5
    assert repr(new_result("a", [1], began, ended, 0.0)) == "<TaskResult 'a' finished result=[1] duration=0.500000>"
    failed = new_result("b", None, began, ended, 0.0, Trouble(Status.FAILED, ValueError("no"), 3))
    assert repr(failed) == "<TaskResult 'b' failed error=ValueError('no') duration=0.500000 attempts=3>"
    skipped = new_result("c", None, None, 0.0, 0.0, Trouble(Status.NEVER_STARTED, None, 0))
    assert repr(skipped) == "<TaskResult 'c' never_started>"


def test_a_broken_repr_does_not_break_the_result() -> None:
    """A value whose repr raises is named by its type."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert "<Broken whose repr raised RuntimeError>" in repr(new_result("a", Broken(), 0.0, 1.0, 0.0))


def test_never_started_has_no_times() -> None:
    """A task that was never started has no moments, no duration, no attempts, and did not succeed."""
    skipped = new_result("c", None, None, 0.0, 0.0, Trouble(Status.NEVER_STARTED, None, 0))
    assert (skipped.started_at, skipped.completed_at, skipped.duration) == (None, None, 0.0)
    assert (skipped.succeeded, skipped.attempts, skipped.error_text) == (False, 0, "")


async def test_results_are_equal_when_all_they_tell_is(virtual_clock: VirtualClock) -> None:
    """Equality goes by content, not identity."""
    one, two = new_result("a", 1, 5.0, 6.0, 0.0), new_result("a", 1, 5.0, 6.0, 0.0)
    assert one == two
    assert one != new_result("a", 2, 5.0, 6.0, 0.0)
    assert one != "a"


async def test_a_failed_result_survives_pickling() -> None:
    """A pickled result has the same content, and the traceback as text."""
    result = await AsyncTaskQueue().process_task("a", fail)
    copy: TaskResult = pickle.loads(pickle.dumps(result))
    assert (copy.task_id, copy.status, copy.started_at, copy.completed_at) == (
        "a", Status.FAILED, result.started_at, result.completed_at
    )  # fmt: skip
    assert repr(copy.error) == "ValueError('wrong')"
    assert copy.error_text == result.error_text
    assert 'raise ValueError("wrong")' in copy.error_text


async def test_a_finished_result_equals_its_pickled_copy() -> None:
    """What can be compared is equal after pickling."""
    result = await AsyncTaskQueue().process_task("a", noop)
    assert pickle.loads(pickle.dumps(result)) == result
