"""What a program asks that no schedule answers: clocks, dice, addresses.

Only when two runs of one schedule have differed is it worth to look, for the look is slow: a profiler, which sees the
calls of functions that are written in C.
"""

from __future__ import annotations

import builtins
import datetime as dt
import os
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.timeline import Recorder
from shared_testing.findings.site import is_users_frame, user_site

if TYPE_CHECKING:
    import asyncio
    from types import FrameType

    from shared_testing.exploration.loop import ExploringLoop

_CLOCKS = {name: getattr(time, name) for name in ("time", "monotonic", "perf_counter", "process_time")}
_CLOCKS |= {f"{name}_ns": getattr(time, f"{name}_ns") for name in _CLOCKS}
_NAMES: dict[int, str] = {id(function): f"time.{name}()" for name, function in _CLOCKS.items()}
_NAMES |= {id(os.urandom): "os.urandom()", id(builtins.id): "id()"}

# What these ask they ask for their caller; others (logging does) ask for themselves.
_ASK_FOR_OTHERS = {"random", "secrets", "uuid", "tempfile"}


class Witness(Recorder):
    """Notes besides the steps who asked what, as far as it is not asked in Python alone."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, None] = {}

    def run(self, loop: ExploringLoop, handle: asyncio.Handle) -> None:
        if sys.getprofile() is not None:
            super().run(loop, handle)
            return
        sys.setprofile(self._called)
        try:
            super().run(loop, handle)
        finally:
            sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call" or (name := _name_of(function)) is None:
            return
        if not is_users_frame(frame) and frame.f_globals.get("__name__") not in _ASK_FOR_OTHERS:
            return
        site = user_site(frame)
        if site is not None:
            self.asked[f"{name} at {site}"] = None


def _name_of(function: Any) -> str | None:
    if (known := _NAMES.get(id(function))) is not None:
        return known
    owner = getattr(function, "__self__", None)
    if isinstance(owner, random.Random):
        # The module's own are set to the same state for each run.
        return None if owner is getattr(random, "_inst", None) else f"a {type(owner).__name__} of its own"
    if isinstance(owner, type) and issubclass(owner, dt.date) and function.__name__ in ("now", "utcnow", "today"):
        return f"{owner.__name__}.{function.__name__}()"
    return None
