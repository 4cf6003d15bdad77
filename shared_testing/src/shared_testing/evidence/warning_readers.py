"""Who reads the warnings that Python makes when a thing dies.

A detector that tells of such a thing keeps Python's own warning back: one text is enough. Not from somebody who waits
for it: a library's tests make sure of the very warning, and leave the thing open for its sake.
"""

from __future__ import annotations

import warnings
from typing import Any

from shared_testing.loop.survivors import referrers


class WarningReaders:
    """Those that a test has put in the place of what showed warnings when it began."""

    def __init__(self) -> None:
        self._before = _display()

    def start(self) -> None:
        self._before = _display()

    def wait_for(self, category: type[Warning]) -> bool:
        """Whether somebody records warnings of this sort just now: ``pytest.warns()``, recwarn, ``assertWarns()``."""
        display = _display()
        if all(now is before for now, before in zip(display, self._before, strict=True)):
            return False
        expected = _expected_by(display[1])
        return expected is None or any(issubclass(category, each) for each in expected)


def _display() -> tuple[Any, Any]:
    # A recorder puts the append() of its list in the second place, and the program may put a function in the first.
    return warnings.showwarning, getattr(warnings, "_showwarnmsg_impl", None)


def _expected_by(show: Any) -> tuple[type[Warning], ...] | None:
    """The sorts that a recorder asks for; None if it takes them all."""
    log = getattr(show, "__self__", None)
    if type(log) is not list:
        return None
    for holder in referrers(log):
        attributes = holder if isinstance(holder, dict) else getattr(holder, "__dict__", {})
        # Those of pytest.warns() and of unittest's assertWarns().
        expected = attributes.get("expected_warning", attributes.get("expected"))
        if expected is not None:
            return expected if isinstance(expected, tuple) else (expected,)
    return None
