"""Make a full garbage collection after each test cheap.

A collection walks all that lives, and in a test run that is mostly pytest and the modules: a hundred times what
one test leaves behind. ``gc.freeze`` takes what has survived out of the walk.
"""

from __future__ import annotations

import gc
from time import perf_counter

# What died after it was frozen is found when all is thawed. That is the long walk: it may take this part of the time.
_SHARE = 0.01
# Before one was measured, in seconds.
_FIRST_THAW = 2.0


def referrers(*things: object) -> list[object]:
    """``gc.get_referrers``, which by itself does not look at what is frozen."""
    frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    try:
        return gc.get_referrers(*things)
    finally:
        if frozen:
            gc.freeze()


class Survivors:
    """Freezes what lives on after each test, and thaws it now and then."""

    def __init__(self) -> None:
        # A run inside another one, or of a program that froze its own: that stays as it is.
        self._found_frozen = gc.get_freeze_count() > 0
        self._next_thaw = perf_counter() + _FIRST_THAW
        gc.freeze()

    def freeze_collected(self) -> None:
        """Collect what has become garbage since the last freeze, and leave the rest out of the next collections."""
        gc.collect()
        gc.freeze()

    def collect(self) -> None:
        """Collect what has become garbage since the last freeze."""
        # The oldest generation is empty after a freeze, until younger collections fill it. To collect it all the same
        # would also empty the interpreter's free lists, each time.
        gc.collect(2 if gc.get_count()[2] else 1)

    def after_test(self) -> None:
        """To be called when garbage was just collected."""
        begun = perf_counter()
        if begun >= self._next_thaw:
            gc.unfreeze()
            gc.collect()
            ended = perf_counter()
            self._next_thaw = ended + (ended - begun) / _SHARE
        gc.freeze()

    def thaw(self) -> None:
        """Leave the collector as it was."""
        if not self._found_frozen:
            gc.unfreeze()
