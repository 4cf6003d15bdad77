"""Run a function on the loop's own thread, in the middle of a step that does not end by itself."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# Ignored by default, and sent by nobody but a socket that was asked to: free to be used for a wake-up.
_SIGNAL = getattr(signal, "SIGURG", None)


class EndedByToolkit(BaseException):
    """Ends a step that nothing else could have ended. Not an Exception, which code may catch."""


class Interrupts:
    """By a signal, so on the main thread alone: for a loop elsewhere nothing is ever run."""

    def __init__(self) -> None:
        self._handler: Any = None
        self._wanted: Callable[[FrameType | None], object] | None = None

    def install(self) -> None:
        if _SIGNAL is not None and threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(_SIGNAL, self._run)

    def uninstall(self) -> None:
        if _SIGNAL is not None and self._handler is not None:
            signal.signal(_SIGNAL, self._handler)
            self._handler = None

    def reach(self, thread: int) -> bool:
        """Whether something can be run on this thread."""
        return self._handler is not None and thread == threading.main_thread().ident

    def ask(self, thread: int, tell: Callable[[FrameType | None], object]) -> None:
        """From another thread: let `tell` look at the frame that runs there. It may raise, out of that frame."""
        if _SIGNAL is not None and self.reach(thread):
            self._wanted = tell
            signal.pthread_kill(thread, _SIGNAL)

    def _run(self, _: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted(frame)


def hears_signals() -> bool:
    """Whether a signal would run a function of the user's."""
    handlers = (signal.getsignal(each) for each in signal.valid_signals())
    return any(is_users(getattr(getattr(each, "__code__", None), "co_filename", "<none>")) for each in handlers)
