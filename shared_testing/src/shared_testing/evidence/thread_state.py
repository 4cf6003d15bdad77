"""What a thread is doing, told from outside, by the operating system.

A step that takes long on the wall clock may compute, wait, or merely be kept off the processor by a busy machine.
Only the system knows which. Linux tells all of it, macOS the CPU time, Windows nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from shared_testing.findings.site import is_users
from shared_testing.loop.standstill import is_bystander

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

_MACHINE = os.uname().machine if hasattr(os, "uname") else ""
_FUTEX = {"x86_64": "202", "aarch64": "98"}.get(_MACHINE, "")
_SLEEPS = {"x86_64": ("230", "35"), "aarch64": ("115", "101")}.get(_MACHINE, ())
_FUTEX_PRIVATE = 0x80
_OWN_THREADS = Path("/proc/self/task")


class Clocks(NamedTuple):
    """Seconds, at one moment."""

    wall: float
    cpu: float
    """CPU time of the thread."""
    queued: float
    """How long the thread was ready to run, and no processor was free."""
    process: float
    """CPU time of all threads together."""


class ThreadState:
    """Reads the clocks and the state of one thread of this process, from any other."""

    def __init__(self, ident: int, native_id: int) -> None:
        self._clock = time.pthread_getcpuclockid(ident)
        self._schedule = _open(_OWN_THREADS / str(native_id) / "schedstat")
        self._syscall = _open(_OWN_THREADS / str(native_id) / "syscall")

    def close(self) -> None:
        for descriptor in (self._schedule, self._syscall):
            if descriptor is not None:
                os.close(descriptor)
        self._schedule = self._syscall = None

    def clocks(self) -> Clocks:
        wall, cpu, process = time.perf_counter(), time.clock_gettime(self._clock), time.process_time()
        # Last: reading gives way to other threads.
        queued = float(_read(self._schedule).split()[1]) / 1e9 if self._schedule is not None else 0.0
        return Clocks(wall, cpu, queued, process)

    def doing(self) -> Doing:
        return Doing(_read(self._syscall).split() if self._syscall is not None else [])


class Doing(NamedTuple):
    """The system call that a thread is in, as Linux shows it."""

    words: list[str]

    @property
    def waits(self) -> bool:
        """In a system call, and neither running nor waiting for a page of memory; True where nothing is known."""
        return not self.words or (self.words[0] != "running" and self.words[0] != "-1")

    @property
    def sleeps(self) -> bool:
        return bool(self.words) and self.words[0] in _SLEEPS

    @property
    def for_lock(self) -> bool:
        """For a lock, which another thread of this process must release."""
        return len(self.words) > 4 and self.words[0] == _FUTEX and bool(int(self.words[2], 16) & _FUTEX_PRIVATE)

    @property
    def for_ever(self) -> bool:
        """For a lock, and without a timeout."""
        return self.for_lock and self.words[4] == "0x0"


def all_wait_for_locks(besides: int) -> bool:
    """Whether every thread of this process waits for a lock without a timeout, so that none will release one.

    `besides`: the native id of a thread that does not count; nor do those that only serve. False where the system
    does not tell.
    """
    serving, unnamed = _serving_threads()
    others = {str(each) for each in (besides, *serving)}
    try:
        threads = [each for each in _OWN_THREADS.iterdir() if each.name not in others]
        awake = [each for each in threads if not Doing((each / "syscall").read_text().split()).for_ever]
        return bool(threads) and len(awake) <= unnamed
    except OSError:
        return False


def threads_compute() -> bool:
    """Whether another thread of the program computes just now, or waits for Python's lock to go on.

    On a busy machine it may be kept from that for long. False where the system does not tell.
    """
    here, frames = threading.get_ident(), sys._current_frames()
    return any(
        _computes(thread.native_id, frames.get(thread.ident or 0))
        for thread in threading.enumerate()
        if thread.ident != here and thread.native_id is not None
    )


def _computes(native_id: int, frame: FrameType | None) -> bool:
    try:
        doing = Doing((_OWN_THREADS / str(native_id) / "syscall").read_text().split())
    except OSError:
        return False
    if frame is None or is_bystander(frame.f_code.co_filename):
        return False
    # For Python's lock it waits with a timeout; so does who waits in `threading` for an event and a time.
    waits_for_python = doing.for_lock and not doing.for_ever and frame.f_globals.get("__name__") != "threading"
    return not doing.waits or waits_for_python


def _serving_threads() -> tuple[set[int], int]:
    """Threads that wait for somebody outside: for the test run's own controller, or for clients of a server.

    The native ids, and how many more there are that `threading` knows nothing of.
    """
    named = {thread.ident: thread for thread in threading.enumerate()}
    # The test itself runs on the main thread, above the frames of pytest.
    here = {threading.get_ident(), threading.main_thread().ident}
    found, unnamed = set(), 0
    for ident, frame in sys._current_frames().items():
        thread = named.get(ident)
        if ident in here or not (_serves(frame) or _is_anothers_timer(thread)):
            continue
        if thread is not None and thread.native_id is not None:
            found.add(thread.native_id)
        else:
            unnamed += 1
    return found, unnamed


def _serves(frame: FrameType) -> bool:
    stack = list(_stack(frame))
    files = [code.co_filename for code in stack]
    serves = any(code.co_qualname == "BaseServer.serve_forever" for code in stack) and not any(map(is_users, files))
    return serves or any(map(is_bystander, files))


def _is_anothers_timer(thread: threading.Thread | None) -> bool:
    """A plugin's, that ends the test one day."""
    code = getattr(getattr(thread, "function", None), "__code__", None)
    return isinstance(thread, threading.Timer) and code is not None and is_bystander(code.co_filename)


def _stack(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def is_gone(native_id: int) -> bool:
    """Whether the system has forgotten the thread; True where it does not tell."""
    return not (_OWN_THREADS / str(native_id)).exists()


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 256, 0).decode()
