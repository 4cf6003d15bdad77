"""Find races, deadlocks and lost cancellations on purpose: run a program under many legal schedules."""

from __future__ import annotations

from shared_testing.exploration.explorer import explore, new_event_loop
from shared_testing.exploration.result import Result
from shared_testing.exploration.timeline import Step, Timeline
from shared_testing.exploration.token import StaleToken
from shared_testing.exploration.verdicts import Deadlock, Livelock

__all__ = [
    "Deadlock",
    "Livelock",
    "Result",
    "StaleToken",
    "Step",
    "Timeline",
    "explore",
    "new_event_loop",
]
