"""How long to wait for the end of what may have been told to end."""

from __future__ import annotations

import time

# What was told to stop a moment ago may take so long to do it, on a busy machine. Waited for only where something is
# left, and not each time in a suite that leaves something in every test.
_IN_A_TEST = 0.3
_IN_ALL = 6.0
_LOOK_AGAIN = 0.002


class Patience:
    """Real seconds, of which a test gets some, and a run not too many."""

    def __init__(self) -> None:
        self._left = _IN_ALL
        self._left_in_test = 0.0

    def renew(self) -> None:
        """For the next test."""
        self._left_in_test = min(_IN_A_TEST, self._left)

    def lasts(self) -> bool:
        """Wait a moment; False when it is over."""
        if self._left_in_test <= 0:
            return False
        began = time.perf_counter()
        time.sleep(_LOOK_AGAIN)
        spent = time.perf_counter() - began
        self._left -= spent
        self._left_in_test -= spent
        return True
