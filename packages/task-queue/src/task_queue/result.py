"""What became of one task.

A run may hold a million of these, so a result is six slots: two readings of the loop's clock, from which
the timestamps are computed when somebody asks, and one slot that is empty for a task that simply returned.
"""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

# The timestamps are datetimes, which count microseconds: what took less is shown as having taken one.
RESOLUTION = 1e-6


class Status(StrEnum):
    """How a task ended."""

    FINISHED = "finished"
    """It returned a value."""
    FAILED = "failed"
    """It raised, or could not be called."""
    TIMED_OUT = "timed_out"
    """It was cancelled because it had taken longer than the queue's `timeout`."""
    CANCELLED = "cancelled"
    """It ended in CancelledError by itself: nobody was stopping the run."""
    CUT_OFF = "cut_off"
    """It was running when the run was stopped (cancelled, closed early, or failed), and was cancelled."""
    NEVER_STARTED = "never_started"
    """The run was stopped before its turn came."""


class Trouble(NamedTuple):
    """Everything that is not so for a task that returned at its first attempt."""

    status: Status
    error: BaseException | None
    attempts: int
    text: str | None = None


class TaskResult:
    """What became of one task. Made by the queue.

    ``task_id``    as it was given
    ``result``     what the task returned; None if it did not

    Two results are equal when everything they tell is equal. A result can be pickled when its value and
    its error can; the error's traceback stays behind as ``error_text``.
    """

    __slots__ = ("_began", "_ended", "_trouble", "_wall", "result", "task_id")

    task_id: Any
    result: Any
    _began: float | None
    _ended: float
    # Added to a reading of the loop's clock it gives seconds since 1970. One per run: the wall clock is
    # read once, so a step of it (NTP, a change to winter time) cannot make a task end before it began.
    _wall: float
    _trouble: Trouble | None

    @property
    def status(self) -> Status:
        """How the task ended."""
        return self._trouble.status if self._trouble is not None else Status.FINISHED

    @property
    def succeeded(self) -> bool:
        """Whether the task returned."""
        return self._trouble is None or self._trouble.status is Status.FINISHED

    @property
    def error(self) -> BaseException | None:
        """What the task raised, or None.

        Its traceback names files, functions and lines as usual, but keeps none of the task's variables alive.
        """
        return self._trouble.error if self._trouble is not None else None

    @property
    def error_text(self) -> str:
        """The error as Python prints it, with its traceback; empty if there is none."""
        if self._trouble is None or self._trouble.error is None:
            return ""
        return self._trouble.text or "".join(traceback.format_exception(self._trouble.error))

    @property
    def attempts(self) -> int:
        """How often the function was called: 1 without retries, 0 if it never was."""
        return self._trouble.attempts if self._trouble is not None else 1

    @property
    def started_at(self) -> datetime | None:
        """When the first attempt began, in UTC; None if the task was never started."""
        return _moment(self._began + self._wall) if self._began is not None else None

    @property
    def completed_at(self) -> datetime | None:
        """When the last attempt ended, in UTC; None if the task was never started.

        Always at least a microsecond, the resolution of a datetime, after ``started_at``. Moments are
        comparable within one run: they are counted by the loop's monotonic clock from its start.
        """
        if self._began is None:
            return None
        return max(_moment(self._ended + self._wall), _moment(self._began + self._wall) + timedelta(microseconds=1))

    @property
    def duration(self) -> float:
        """Seconds from the first attempt's begin to the last one's end, by the loop's monotonic clock.

        Never less than a microsecond for a task that ran, even if the clock did not move meanwhile
        (under virtual time it does not for a task that never waits). 0.0 if the task was never started.
        """
        return max(self._ended - self._began, RESOLUTION) if self._began is not None else 0.0

    def __repr__(self) -> str:
        parts = [repr(self.task_id), self.status.value]
        if self.error is not None:
            parts.append(f"error={shortened(self.error)}")
        elif self.succeeded:
            parts.append(f"result={shortened(self.result)}")
        if self._began is not None:
            parts.append(f"duration={self.duration:.6f}")
        if self.attempts > 1:
            parts.append(f"attempts={self.attempts}")
        return f"<TaskResult {' '.join(parts)}>"

    def _told(self) -> tuple[object, ...]:
        return (
            self.task_id, self.status, self.result, self.error, self.attempts, self.started_at, self.completed_at
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskResult):
            return NotImplemented
        return self._told() == other._told()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        trouble = self._trouble
        if trouble is not None:
            # Spelled out: an exception takes its notes along, but not its traceback.
            trouble = trouble._replace(text=self.error_text or None)
        return new_result, (self.task_id, self.result, self._began, self._ended, self._wall, trouble)


def new_result(
    task_id: Hashable,
    value: object,
    began: float | None,
    ended: float,
    wall: float,
    trouble: Trouble | None = None,
) -> TaskResult:
    """Make a result. Written out because it runs once per task: half the time of an ``__init__``."""
    result = _new(TaskResult)
    result.task_id = task_id
    result.result = value
    result._began = began
    result._ended = ended
    result._wall = wall
    result._trouble = trouble
    return result


_new = object.__new__


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def shortened(value: object, limit: int = 80) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a repr is for looking at; a broken one inside must not break it
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
