"""Read a stack from the call that waits to the line that asked for it.

Three questions: which function of a library did the user call (``subprocess.run``, not the ``os.waitpid`` below it),
on which line, and does that line stand in a test's own body, or in the code that is tested.
"""

from __future__ import annotations

import asyncio
import dis
from typing import TYPE_CHECKING, NamedTuple

from shared_testing.findings.site import is_users, site_of_frame

if TYPE_CHECKING:
    from types import FrameType

    from shared_testing.evidence.own_code import OwnCode, Place
    from shared_testing.findings import Site

# Modules whose functions block by nature: the outermost one on the stack is what the user called.
# fmt: off
_BLOCKING_APIS = frozenset({
    "bz2", "codecs", "concurrent", "configparser", "fileinput", "ftplib", "getpass", "gzip", "http", "httpcore",
    "httpx", "imaplib", "io", "lzma", "multiprocessing", "nntplib", "os", "pathlib", "poplib", "queue",
    "requests", "sched", "select", "selectors", "shutil", "smtplib", "socket", "socketserver", "sqlite3", "ssl",
    "subprocess", "tarfile", "telnetlib", "tempfile", "threading", "urllib", "urllib3", "xmlrpc", "zipfile",
})
# fmt: on

# Our own wrappers on the stack are nobody.
_OURS = "shared_testing"
_CALLBACK = asyncio.Handle._run.__code__

# How a file may be used: whole, or by line; and what a function does with one that it does not use itself.
_WHOLE = {"read", "write", "read_text", "write_text", "read_bytes", "write_bytes", "load", "dump"}
_BY_LINE = {"readline", "readlines", "writelines"}
_STORE, _RETURN = dis.opmap["STORE_ATTR"], dis.opmap["RETURN_VALUE"]
_RESUME = dis.opmap["RESUME"]
_GET_ITER, _CACHE = dis.opmap["GET_ITER"], dis.opmap["CACHE"]

# They wait for a moment, by design: a thread or process tells that it has started.
_HARMLESS = frozenset({"Thread.start", "BaseProcess.start", "Popen._launch"})


class CallSite(NamedTuple):
    """Where the user called something that waits, or computes."""

    api: str
    """``subprocess.run``; empty if the user's line itself did it."""
    site: Site
    direct: bool
    """The user's line called the API itself, not a library that called it."""
    place: Place
    bit_by_bit: bool = False
    """What it returned is kept, or gone through line by line: a buffer is between it and the disk."""


def call_site(frame: FrameType | None, raw: str, tests: OwnCode) -> CallSite | None:
    """Who called, seen from the innermost frame; None if no user's line did, or asyncio itself.

    `raw`: the name of what was called on that frame. `tests`: what is the running test's own.
    """
    api = raw
    while frame is not None and not is_users(frame.f_code.co_filename):
        module = frame.f_globals.get("__name__") or ""
        root = module.partition(".")[0]
        if root == _OURS:
            frame = frame.f_back
            continue
        if root not in _BLOCKING_APIS:
            break
        if frame.f_code.co_qualname in _HARMLESS:
            return None
        api = _api_name(module, frame.f_code.co_qualname)
        frame = frame.f_back
    if frame is None or (frame.f_globals.get("__name__") or "").partition(".")[0] == "asyncio":
        return None
    direct = is_users(frame.f_code.co_filename)
    while frame is not None and not is_users(frame.f_code.co_filename):
        if frame.f_code is _CALLBACK:
            return None
        frame = frame.f_back
    if frame is None:
        return None
    frame = _caller_if_entering(frame, tests)
    return CallSite(api if direct else raw, site_of_frame(frame), direct, tests.place(frame), _bit_by_bit(frame))


def _caller_if_entering(frame: FrameType, tests: OwnCode) -> FrameType:
    """Python gives way where a function begins: what takes long is that it is called so often."""
    caller = frame.f_back
    entering = frame.f_code.co_code[max(frame.f_lasti, 0)] == _RESUME
    if not entering or caller is None or not is_users(caller.f_code.co_filename) or tests.place(caller) != "code":
        return frame
    return caller


def _bit_by_bit(frame: FrameType) -> bool:
    code, operations = frame.f_code, frame.f_code.co_code
    following = [each for each in operations[frame.f_lasti + 2 : frame.f_lasti + 32 : 2] if each != _CACHE]
    # `return open(...)`; `self.file = open(...)`, which loads `self` in between.
    if _RETURN in following[:1] or _STORE in following[1:2]:
        return True
    names = set(code.co_names)
    return not names & _WHOLE and (bool(names & _BY_LINE) or _GET_ITER in operations[::2])


def _api_name(module: str, qualname: str) -> str:
    """``concurrent.futures.Future.result`` as the user knows it, without ``_base``."""
    public = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join([*public, qualname.replace("PathBase", "Path")])
