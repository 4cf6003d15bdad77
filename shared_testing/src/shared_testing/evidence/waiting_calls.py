"""Notice the calls that make a thread wait, when an event loop runs on it.

Nothing of the user's is held up or changed: a call is noted, and goes on. What Python does not tell its audit hooks
is wrapped where it is defined. ``threading.Condition.wait`` alone stands for events, queues, semaphores, barriers and
the futures of threads, and it is reached only by those that really have to wait.
"""

from __future__ import annotations

import functools
import os
import select
import socket
import subprocess
import sys
import threading
import time
from asyncio import _get_running_loop
from concurrent.futures import thread as pool
from typing import TYPE_CHECKING, Any

from shared_testing.evidence.audited_calls import Wait, listen
from shared_testing.evidence.harmless import harmless
from shared_testing.findings.site import is_users
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable


_clock = time.perf_counter


class _Call:
    """Stands for a function written in C: like it, it does not become a method when a class holds it."""

    def __init__(self, original: Any, call: Callable[..., Any]) -> None:
        self._call = call
        functools.update_wrapper(self, original)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return self._call(*args, **kwargs)

    def __reduce__(self) -> str:
        # As a function is pickled: by its name, for a process pool.
        return str(self.__name__)  # type: ignore[attr-defined]


class WaitingCalls:
    """Patches what waits, and calls `note` with each wait on the thread of a running event loop."""

    def __init__(self, note: Callable[[Wait], object]) -> None:
        self._note = harmless(None)(note)
        self._patches = Patches()

    def install(self) -> None:
        listen(self._note)
        self._functions()
        self._methods()
        for name in ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "accept"):
            self._socket(name, select.POLLIN if hasattr(select, "poll") else 0)
        for name in ("send", "sendall", "sendto", "sendmsg"):
            self._socket(name, select.POLLOUT if hasattr(select, "poll") else 0)

    def uninstall(self) -> None:
        listen(None)
        self._patches.undo()

    def _functions(self) -> None:
        sleep, note = time.sleep, self._note

        def noted_sleep(*args: Any) -> None:
            __tracebackhide__ = True
            if _get_running_loop() is not None and args and args[0] > 0:
                note(Wait(sys._getframe(2), "time.sleep", repr(args[0])))
            sleep(*args)

        self._replace_everywhere(time, "sleep", _Call(sleep, noted_sleep))
        for name in ("waitpid", "wait", "wait3", "wait4", "waitid"):
            if hasattr(os, name):
                self._child(name)
        self._timed(select, "select", lambda result: not any(result), skip=_is_poll)

    def _methods(self) -> None:
        condition_wait, join = threading.Condition.wait, threading.Thread.join
        popen_wait, note = subprocess.Popen.wait, self._note

        @functools.wraps(condition_wait)
        def wait(self: threading.Condition, timeout: float | None = None) -> bool:
            __tracebackhide__ = True
            # With a timeout of 0 it is a look, as in the submit() of a pool.
            if _get_running_loop() is None or (timeout is not None and timeout <= 0):
                return condition_wait(self, timeout)
            start, result = _clock(), None
            try:
                result = condition_wait(self, timeout)
                return result
            finally:
                note(Wait(sys._getframe(1), "threading.Condition.wait", "", _clock() - start, result is False))

        @functools.wraps(join)
        def noted_join(self: threading.Thread, timeout: float | None = None) -> None:
            __tracebackhide__ = True
            if _get_running_loop() is None or (timeout is not None and timeout <= 0) or not _is_busy(self):
                join(self, timeout)
                return
            start = _clock()
            try:
                join(self, timeout)
            finally:
                took, late = _clock() - start, timeout is not None and self.is_alive()
                note(Wait(sys._getframe(1), "threading.Thread.join", "", took, late))

        @functools.wraps(popen_wait)
        def noted_wait(self: Any, timeout: float | None = None) -> int:
            __tracebackhide__ = True
            if _get_running_loop() is None or self.returncode is not None:
                return popen_wait(self, timeout)
            start, over = _clock(), _has_ended(self.pid)
            try:
                return popen_wait(self, timeout)
            finally:
                frame = sys._getframe(1)
                # run(), call() and communicate() are in there for as long as the child runs.
                within = frame.f_globals.get("__name__") == "subprocess" and frame.f_code.co_name != "__exit__"
                if within or not over:
                    late = self.returncode is None
                    note(Wait(frame, "subprocess.Popen.wait", "", _clock() - start, late))

        self._patches.set(threading.Condition, "wait", wait)
        self._patches.set(threading.Thread, "join", noted_join)
        self._patches.set(subprocess.Popen, "wait", noted_wait)

    def _child(self, name: str) -> None:
        self._timed(os, name, lambda _: False, skip=_does_not_hang)

    def _timed(
        self,
        module: Any,
        name: str,
        timed_out: Callable[[Any], bool],
        skip: Callable[[tuple[Any, ...]], bool],
    ) -> None:
        original, note = getattr(module, name), self._note

        def timed(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if _get_running_loop() is None or skip(args):
                return original(*args, **kwargs)
            # Popen.wait() is noted by itself.
            frame = sys._getframe(2)
            if frame.f_globals.get("__name__") == "subprocess":
                return original(*args, **kwargs)
            start, result = _clock(), None
            try:
                result = original(*args, **kwargs)
                return result
            finally:
                took, late = _clock() - start, result is not None and timed_out(result)
                if late or took > _AT_ONCE:
                    note(Wait(frame, f"{module.__name__}.{name}", "", took, late))

        self._patches.set(module, name, _Call(original, timed))

    def _socket(self, name: str, event: int) -> None:
        original: Any = getattr(socket.socket, name, None)
        if original is None:
            return
        note = self._note

        @functools.wraps(original)
        def noted(self: socket.socket, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if _get_running_loop() is None or self.gettimeout() == 0 or (name != "sendall" and _ready(self, event)):
                return original(self, *args, **kwargs)
            start, late, waits = _clock(), False, name != "sendall" or not _ready(self, event)
            try:
                return original(self, *args, **kwargs)
            except TimeoutError:
                late = True
                raise
            finally:
                took = _clock() - start
                if waits or late or took > _LONG_SEND:
                    note(Wait(sys._getframe(1), f"socket.{name}", "", took, late))

        self._patches.set(socket.socket, name, noted)

    def _replace_everywhere(self, owner: Any, name: str, replacement: Any) -> None:
        """Also where the user's own modules have imported it by name already."""
        original = getattr(owner, name)
        self._patches.set(owner, name, replacement)
        for module in list(sys.modules.values()):
            names = [key for key, value in list(getattr(module, "__dict__", {}).items()) if value is original]
            if names and is_users(getattr(module, "__file__", None) or "<none>"):
                for each in names:
                    self._patches.set(module, each, replacement)


# Seconds. A full socket buffer takes some time to be emptied; what is ready takes less than the other.
_LONG_SEND = 0.05
_AT_ONCE = 0.001


def _is_poll(args: tuple[Any, ...]) -> bool:
    """``select(r, w, x, 0)`` only looks."""
    return len(args) > 3 and args[3] == 0


def _does_not_hang(args: tuple[Any, ...]) -> bool:
    """``waitpid(pid, WNOHANG)`` only looks."""
    return any(isinstance(each, int) and each & os.WNOHANG for each in args[1:])


_WORKER = pool._worker.__code__
_JOB = pool._WorkItem.run.__code__


@harmless(True)
def _is_busy(thread: threading.Thread) -> bool:
    """Whether a join has to wait for work, and not only for an idle worker of a pool to leave."""
    if not thread.is_alive() or thread is threading.current_thread():
        return False
    frame = last = sys._current_frames().get(thread.ident or 0)
    while frame is not None and frame.f_code is not _JOB:
        if frame.f_code is _WORKER:
            has = frame.f_locals
            # A pool that is shut down has one None in its queue; more than that is work that nobody has begun.
            return has.get("work_item") is not None or ("work_queue" in has and has["work_queue"].qsize() > 1)
        frame = frame.f_back
    if frame is None:
        return last is not None
    # Whoever waits for the result has it a moment before the worker has put its tools away.
    return "result" not in frame.f_locals and "exc" not in frame.f_locals


def _has_ended(pid: int) -> bool:
    """Whether the child has ended, and waits to be waited for."""
    if not hasattr(os, "waitid"):
        return False
    try:
        # The patched one lets this pass: it does not wait.
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _ready(sock: socket.socket, event: int) -> bool:
    if not event or sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), event)
    return bool(poll.poll(0))
