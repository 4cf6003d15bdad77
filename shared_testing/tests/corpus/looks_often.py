"""For the corpus: who proves a standstill by looking again looks five times as often, and needs as many looks.

The times that users meet are those of tests/test_deadlock.py.
"""

from shared_testing.detectors import swallowed_cancellation
from shared_testing.loop import pauses

pauses.PULSE /= 5
swallowed_cancellation._PATIENCE /= 5
