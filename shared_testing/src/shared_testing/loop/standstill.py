"""Whether anything at all could still wake an event loop.

Asked when the loop has nothing ready and no timer: then only a descriptor, a thread, a signal or a child process
could. What cannot be ruled out counts as a yes, so that a no is a proof.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from asyncio import futures
from concurrent.futures import thread as pool
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_testing.findings.site import is_users
from shared_testing.loop.other_ends import idle_ends

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# Threads of these serve the test run, and know nothing of the loops in it.
_BYSTANDERS = {"execnet", "xdist", "pytest_timeout", "_pytest", "pydevd", "_pydevd_bundle", "coverage"}


def nothing_can_wake(loop: Any) -> bool:
    """Proved: this selector loop will wait for ever. Collects garbage first, whose finalizers might wake it."""
    if not _is_silent(loop):
        return False
    gc.collect()
    return _is_silent(loop) and not loop._selector.select(0)


def only_tasks_run(loop: Any) -> bool:
    """Nothing but the loop's own tasks and timers could change anything: no descriptor, thread, signal or job."""
    return not (
        loop._signal_handlers
        or getattr(loop, "_executor_jobs", 0)
        or (has_connections(loop) and None in idle_ends(loop))
        or threads_run()
    )


def threads_run() -> bool:
    """Whether any other thread of this process may do something for a loop."""
    return any(map(_may_wake, _other_threads()))


def has_connections(loop: Any) -> bool:
    """Whether anything is registered but the loop's own wake-up pipe, which an exploring loop does without."""
    return len(loop._selector.get_map()) > (loop._ssock is not None)


def plain_timers(loop: Any) -> dict[int, float] | None:
    """When each future that a sleeper waits for is due, by its id; None if there is a timer of any other kind."""
    sleeps = {}
    for handle in loop._scheduled:
        if handle.cancelled():
            continue
        if handle._callback is not vars(futures)["_set_result_unless_cancelled"]:
            return None
        sleeps[id(handle._args[0])] = handle.when()
    return sleeps


def _is_silent(loop: Any) -> bool:
    return not (loop._ready or loop._scheduled) and only_tasks_run(loop)


def _other_threads() -> Iterator[FrameType | None]:
    frames = sys._current_frames()
    here = threading.get_ident()
    for thread in threading.enumerate():
        if thread.ident != here and thread.is_alive() and not _serves_the_run(thread):
            yield frames.get(thread.ident or 0)


def _serves_the_run(thread: threading.Thread) -> bool:
    """A timeout's timer shows nothing but `threading` on its stack: what it would call tells whose it is."""
    target = getattr(thread, "function", None) or getattr(thread, "_target", None)
    return is_bystander(getattr(getattr(target, "__code__", None), "co_filename", "<none>"))


def _may_wake(frame: FrameType | None) -> bool:
    if frame is None or _is_idle_worker(frame):
        return False
    while frame is not None:
        if is_bystander(frame.f_code.co_filename):
            return False
        frame = frame.f_back
    return True


def _is_idle_worker(frame: FrameType) -> bool:
    """A pool keeps its threads: one that waits for work does nothing by itself."""
    if frame.f_code is not pool._worker.__code__:
        return False
    queue = frame.f_locals.get("work_queue")
    return queue is not None and queue.empty()


@lru_cache(maxsize=1024)
def is_bystander(filename: str) -> bool:
    """Whether the file belongs to what runs the tests."""
    return not is_users(filename) and any(
        part in _BYSTANDERS or part.removesuffix(".py") in _BYSTANDERS for part in Path(filename).parts
    )


def main_future(loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any] | None:
    """What the nearest ``loop.run_until_complete()`` below us on this thread's stack waits for."""
    frame: FrameType | None = sys._getframe(1)
    code = asyncio.BaseEventLoop.run_until_complete.__code__
    while frame is not None:
        if frame.f_code is code and frame.f_locals.get("self") is loop:
            found = frame.f_locals.get("future")
            return found if isinstance(found, asyncio.Future) else None
        frame = frame.f_back
    return None
