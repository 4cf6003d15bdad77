"""A wall clock that jumps, as NTP, an operator or a suspended machine lets it: what measures time by it is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from shared_testing.patches import Patches

if TYPE_CHECKING:
    from types import TracebackType


class WallClock:
    """``wall_clock.jump(3600)``: from now on ``time.time()`` is an hour later; ``jump(-3600)`` takes it back.

    It goes on as it does; ``time.monotonic()`` and the event loop do not notice. Of this process only. Code that has
    imported the function by name (``from time import time``), and ``datetime.now()``, which asks the system itself,
    keep the true time.
    """

    def __init__(self) -> None:
        self._patches = Patches()
        self.ahead = 0.0
        """Seconds, of the true time."""

    def __enter__(self) -> Self:
        true, true_ns = time.time, time.time_ns
        self._patches.set(time, "time", lambda: true() + self.ahead)
        self._patches.set(time, "time_ns", lambda: true_ns() + round(self.ahead * 1e9))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patches.undo()

    def __repr__(self) -> str:
        return f"<WallClock: {self.ahead:+g} s>"

    def jump(self, seconds: float) -> None:
        """On top of the jumps before."""
        self.ahead += seconds
