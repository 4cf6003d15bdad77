"""AT301: a task took a lock with it when it ended."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from shared_testing.detectors.detector import Detector
from shared_testing.detectors.leaked_task import RULE
from shared_testing.evidence.holders import held_locks, holders_of
from shared_testing.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.holders import Deed
    from shared_testing.findings import Rule


class HeldLock(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._before: list[Deed] = []

    def uninstall(self) -> None:
        self._before.clear()

    def start(self, scope: Scope) -> None:
        self._before = [deed for lock in held_locks() for deed in holders_of(lock)]

    def finish(self, scope: Scope) -> Iterable[Finding]:
        if scope.error is not None:
            return ()
        held = [deed for lock in held_locks() for deed in holders_of(lock) if deed not in self._before]
        return [_finding(deed) for deed in held if not _is_meant(deed, scope)]


def _is_meant(deed: Deed, scope: Scope) -> bool:
    """A test may hold a lock to see what others do then, and a fixture for as long as it lives."""
    if deed.task is not None and not deed.task.done():
        return True
    test = getattr(scope.test, "originalname", None)
    return test in deed.code.co_qualname.split(".") or bool(deed.code.co_flags & inspect.CO_ASYNC_GENERATOR)


def _finding(deed: Deed) -> Finding:
    return Finding(
        RULE,
        f"lock of task {deed.name!r} was never released",
        deed.site,
        cause="the task acquired the lock and ended: whoever wants it from now on waits for ever",
        fix="hold it in 'async with lock:', or release() it in a finally block",
    )
