"""Which line is the user's own.

Between a test and the event loop lie frames of asyncio, pytest, aiohttp and this toolkit. A finding names
the nearest frame that belongs to none of them.
"""

from __future__ import annotations

import asyncio
import linecache
import re
import site
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from shared_testing.findings.by_code import by_code
from shared_testing.findings.identity import identity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType, TracebackType

_LIBRARIES = tuple(
    dict.fromkeys(
        str(Path(str(path)).resolve())
        for path in (
            # What sysconfig would say; that module takes longer to load than all that is asked of it.
            Path(sys.prefix, "bin"),
            *site.getsitepackages(),
            site.getusersitepackages(),
            Path(asyncio.__file__).parent.parent,
            Path(__file__).parent.parent,
        )
    )
)


_DEFINITION = r"\s*(async\s+)?def\b"
# A decorator may take some lines, if it has arguments.
_DECORATOR_LINES = 30
_PREFIXES = tuple(f"{library}/" for library in _LIBRARIES)


class Site(NamedTuple):
    """A line of the user's own code."""

    path: str
    line: int
    function: str

    @property
    def source(self) -> str:
        """The text of the line, without its indent; empty if it cannot be read."""
        return linecache.getline(self.path, self.line).strip()

    def __str__(self) -> str:
        return f"{_shown(self.path)}:{self.line} in {self.function}"


@lru_cache(maxsize=4096)
def is_users(filename: str) -> bool:
    """Whether the file is part of neither Python, an installed library nor this toolkit."""
    # Most are answered without asking the disk.
    if filename.startswith(("<", *_PREFIXES)):
        return False
    return not str(Path(filename).resolve()).startswith(_PREFIXES)


# Below a callback of the loop lies whoever runs the loop (a script's `pytest.main()`, a test's `asyncio.run()`), who
# has made nothing of what the callback makes.
# And nobody has made what the runner itself starts: the walk through all of pytest would find nothing.
_CALLBACK = asyncio.Handle._run.__code__
_RUNNER = asyncio.Runner.run.__code__
_RUN = asyncio.BaseEventLoop.run_until_complete.__name__
_END_FILES = frozenset(
    {
        *(each.__file__ for each in (asyncio.events, asyncio.runners, asyncio.base_events)),
        str(Path(__file__).parent.parent / "exploration" / "loop.py"),
    }
)


def users_code(frame: FrameType) -> CodeType | None:
    """The code that runs in it, if it is the user's own.

    Each reading of f_code is an audit event; most frames are a library's, and their module says so for less.
    """
    file = frame.f_globals.get("__file__")
    if isinstance(file, str) and not is_users(file):
        return None
    code = frame.f_code
    return code if is_users(code.co_filename) else None


def is_users_frame(frame: FrameType) -> bool:
    """Whether the user's own code runs in it."""
    return users_code(frame) is not None


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The nearest frame of the user's own among this frame and its callers, up to the loop's callback."""
    found = user_frame_and_code(frame)
    return found[0] if found is not None else None


def user_frame_and_code(frame: FrameType | None) -> tuple[FrameType, CodeType] | None:
    """The same with the code that runs in it."""
    while frame is not None:
        # As in users_code().
        file = frame.f_globals.get("__file__")
        if not isinstance(file, str) or file in _END_FILES or is_users(file):
            code = frame.f_code
            # By identity, one by one: to hash or compare code objects is to do so with all that they contain.
            if code is _CALLBACK or code is _RUNNER or (file in _END_FILES and code.co_name == _RUN):
                return None
            if is_users(code.co_filename):
                return frame, code
        frame = frame.f_back
    return None


_sites: dict[tuple[int, int], tuple[CodeType, Site]] = {}
"""To read a frame's line, Python decodes its function's table of lines up to there: a long function's takes longest."""
_MOST_SITES = 10_000


def site_of_frame(frame: FrameType, code: CodeType | None = None) -> Site:
    """The line that this frame is at. Whoever has read its code hands that over: each reading is an audit event."""
    if code is None:
        code = frame.f_code
    key = identity(code), frame.f_lasti
    known = _sites.get(key)
    # What has the number now may be another function.
    if known is not None and known[0] is code:
        return known[1]
    if len(_sites) >= _MOST_SITES:
        _sites.clear()
    site = Site(code.co_filename, _read_line(frame, code), code.co_qualname)
    _sites[key] = code, site
    return site


def _read_line(frame: FrameType, code: CodeType) -> int:
    """A jump back to the head of a loop has no line of its own, and gets the one before it."""
    line: int | None = frame.f_lineno
    if line is None:
        lines = [number for start, _, number in code.co_lines() if number and start <= frame.f_lasti]
        line = lines[-1] if lines else code.co_firstlineno
    return line


def user_site(frame: FrameType | None) -> Site | None:
    """The nearest line of the user's own among this frame and its callers, up to the loop's callback."""
    found = user_frame_and_code(frame)
    return site_of_frame(*found) if found is not None else None


def origin_site(origin: Iterable[tuple[str, int, str]] | None) -> Site | None:
    """The same for ``coroutine.cr_origin``: the nearest caller first."""
    for path, line, function in origin or ():
        if is_users(path):
            return Site(path, line, function)
    return None


@by_code
def site_of_code(code: CodeType) -> Site:
    """Where a function is defined: the line of its ``def``, below its decorators."""
    first = code.co_firstlineno
    lines = range(first, first + _DECORATOR_LINES) if not code.co_name.startswith("<") else ()
    found = next((each for each in lines if re.match(_DEFINITION, linecache.getline(code.co_filename, each))), first)
    return Site(code.co_filename, found, code.co_qualname)


def last_user_site(traceback: TracebackType | None) -> Site | None:
    """The user's own line that is nearest to where the exception was raised."""
    found = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_users(code.co_filename):
            found = Site(code.co_filename, traceback.tb_lineno, code.co_qualname)
        traceback = traceback.tb_next
    return found


def _shown(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
