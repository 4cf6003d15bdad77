"""For the corpus: who proves a standstill by looking again looks ten times as often, and needs as many looks.

The times that users meet are those of tests/test_deadlock.py and tests/test_spinning.py.
"""

from shared_testing.detectors import endless_step, swallowed_cancellation
from shared_testing.loop import pauses

pauses.PULSE /= 10
swallowed_cancellation._PATIENCE /= 10
# The monitor of steps does not look much more often than that.
endless_step._FIRST /= 3
endless_step._BETWEEN /= 3
