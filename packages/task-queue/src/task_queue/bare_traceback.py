"""A traceback that prints like the original and keeps nothing alive.

An exception's traceback holds the frames it came through, and a frame holds its variables: a result that
keeps its error would keep the failed task's data in memory. ``traceback.clear_frames`` is no way out. On
Python 3.11 and 3.12 it *closes* a coroutine that is suspended, and the frames may well be those of one: a
connection's reader that caught the error, passed it to a future, and went on reading.

So the frames are exchanged, never touched: for each place of code a stand-in is made that has the file
and the name, and no variables.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from types import FrameType, FunctionType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# An error object that is raised again and again gets a longer traceback each time; so does a deep recursion.
_LONGEST = 200
_MOST_ERRORS = 100

_HERE = str(Path(__file__).parent) + os.sep


def forget_variables(error: BaseException) -> None:
    """Exchange the tracebacks of `error` and of what it came from; leave out the queue's own frames."""
    for part in _family(error):
        entries = [entry for entry in _entries(part.__traceback__) if not _is_ours(entry)]
        if len(entries) > _LONGEST:
            entries = entries[: _LONGEST // 2] + entries[-_LONGEST // 2 :]
        bare: TracebackType | None = None
        for entry in reversed(entries):
            code = entry.tb_frame.f_code
            stand_in = _stand_in(code.co_filename, code.co_name, code.co_qualname, code.co_firstlineno)
            bare = TracebackType(bare, stand_in, -1, entry.tb_lineno)
        part.with_traceback(bare)  # Not by assignment, which an exception class may forbid.


def _family(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes and contexts, and the members of groups, each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < _MOST_ERRORS:
        part = waiting.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        waiting += (part.__cause__, part.__context__)
        if isinstance(part, BaseExceptionGroup):
            waiting += part.exceptions


def _entries(entry: TracebackType | None) -> Iterator[TracebackType]:
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _is_ours(entry: TracebackType) -> bool:
    return entry.tb_frame.f_code.co_filename.startswith(_HERE)


def _pattern() -> Iterator[None]:
    yield


@lru_cache(maxsize=1024)
def _stand_in(filename: str, name: str, qualname: str, line: int) -> FrameType:
    """The frame of a generator that never begins: it has no variables and no caller."""
    disguise = _pattern.__code__.replace(co_filename=filename, co_name=name, co_qualname=qualname, co_firstlineno=line)
    frame: FrameType = FunctionType(disguise, {"__name__": __name__})().gi_frame
    return frame
