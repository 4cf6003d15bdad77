"""Make a full garbage collection after each test cheap.

A collection walks all that lives, and in a test run that is mostly pytest and the modules: a hundred times what
one test leaves behind. ``gc.freeze`` takes what has survived out of the walk.
"""

from __future__ import annotations

import gc

# What died after it was frozen is found when all is thawed: not each time, for that is the long walk.
_THAW_AFTER = 250


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
        self._tests = 0

    def freeze_all(self) -> None:
        """Collect whatever is garbage, and leave the rest out of the next collections."""
        self._tests = 0
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def collect(self) -> None:
        """Collect what has become garbage since the last freeze."""
        # The oldest generation is empty after a freeze, until younger collections fill it. To collect it all the same
        # would also empty the interpreter's free lists, each time.
        gc.collect(2 if gc.get_count()[2] else 1)

    def after_test(self) -> None:
        """To be called when garbage was just collected."""
        self._tests += 1
        if self._tests >= _THAW_AFTER:
            self.freeze_all()
        else:
            gc.freeze()

    def thaw(self) -> None:
        """Leave the collector as it was."""
        gc.unfreeze()
