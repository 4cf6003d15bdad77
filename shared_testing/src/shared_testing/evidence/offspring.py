"""Threads, pools and child processes: whether they have ended, and what to call them."""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_testing.evidence.births import Kind

if TYPE_CHECKING:
    import subprocess

_NUMBERED = r"Thread-\d+"


def _is_running(pid: int) -> bool | None:
    """None when there is no such child any more: somebody has waited for it."""
    try:
        # A look that leaves its exit status to whoever waits.
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return None


def _process_is_left(process: subprocess.Popen[Any]) -> bool:
    return process.returncode is None and _is_running(process.pid) is not None


def _async_process_is_left(process: subprocess.Popen[Any]) -> bool:
    # That it has ended reaches this object by way of the loop, which may be closed by now.
    return process.returncode is None and _is_running(process.pid) is True


def _child_is_left(child: Any) -> bool:
    # Whoever has waited by its number has taken the exit status away: multiprocessing never learns of the end.
    return not child._closed and child.is_alive() and _is_running(child.pid) is not None


THREAD = Kind(
    "thread {name!r} is still running",
    threading.Thread.is_alive,
    fix="tell it to stop and join() it, or let asyncio.to_thread() run the function and await it",
)
POOL = Kind(
    "ThreadPoolExecutor was not shut down",
    lambda pool: bool(pool._threads) and not pool._shutdown,
    fix="use it in 'with ThreadPoolExecutor() as pool:', or call pool.shutdown()",
)
PROCESS_POOL = Kind(
    "ProcessPoolExecutor was not shut down",
    lambda pool: bool(pool._processes) and not pool._shutdown_thread,
    fix="use it in 'with ProcessPoolExecutor() as pool:', or call pool.shutdown()",
)
PROCESS = Kind(
    "child process {name!r} was not waited for",
    _process_is_left,
    fix="call terminate() and wait() in a finally block, or use 'with subprocess.Popen(...) as process:'",
)
ASYNC_PROCESS = Kind(
    "child process {name!r} is still running",
    _async_process_is_left,
    fix="call process.terminate() and await process.wait() in a finally block",
)
CHILD = Kind(
    "child process {name!r} is still running",
    _child_is_left,
    fix="join() it, after terminate() where it does not end by itself",
)
WORKERS = Kind("multiprocessing pool was not closed", _child_is_left, fix="call close() and join() on the pool")


def name_of_thread(thread: threading.Thread) -> str:
    """The function that it runs where it has no name of its own: its number depends on the tests before."""
    target = getattr(thread, "_target", None)
    return getattr(target, "__qualname__", thread.name) if re.match(_NUMBERED, thread.name) else thread.name


def name_of_process(process: subprocess.Popen[Any]) -> str:
    """Its program, without the folder; of a shell the whole command."""
    args: Any = process.args
    if isinstance(args, (str, bytes)):
        return os.fsdecode(args)
    return Path(os.fsdecode(args[0])).name if isinstance(args, (list, tuple)) else Path(os.fsdecode(args)).name


def is_kept_by_module(thing: object) -> bool:
    """Whether a module holds it by name: it was made for as long as the process lives."""
    modules = [module for module in list(sys.modules.values()) if hasattr(module, "__dict__")]
    return any(value is thing for module in modules for value in list(vars(module).values()))
