"""Make a full garbage collection after each test cheap.

A collection walks all that lives, and in a test run that is mostly pytest and the modules: a hundred times what
one test leaves behind. ``gc.freeze`` takes what has survived out of the walk.
"""

from __future__ import annotations

import gc
from time import perf_counter

# What died after it was frozen is found when all is thawed. That is the long walk: it may take this part of the time.
_SHARE = 0.02


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
        self._next_thaw = 0.0

    def freeze(self) -> None:
        """Leave what lives now out of the next collections, garbage or not."""
        gc.freeze()

    def freeze_all(self) -> None:
        """Collect whatever is garbage, and leave the rest out of the next collections."""
        begun = perf_counter()
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        ended = perf_counter()
        self._next_thaw = ended + (ended - begun) / _SHARE

    def collect(self) -> None:
        """Collect what has become garbage since the last freeze."""
        # The oldest generation is empty after a freeze, until younger collections fill it. To collect it all the same
        # would also empty the interpreter's free lists, each time.
        gc.collect(2 if gc.get_count()[2] else 1)

    def after_test(self) -> None:
        """To be called when garbage was just collected."""
        if perf_counter() >= self._next_thaw:
            self.freeze_all()
        else:
            self.freeze()

    def thaw(self) -> None:
        """Leave the collector as it was."""
        gc.unfreeze()
