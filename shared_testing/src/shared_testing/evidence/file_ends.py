"""How a file ended: closed by somebody, or dropped, so that Python closed it.

The files of `open` are C objects, with one raw file below their buffers. CPython tells that one when its owner is
dropped (`_dealloc_warn`, which makes the ResourceWarning), and closes it by its method; an attribute of the instance
takes the place of a method.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_testing.evidence.births import Birth


def raw_file(file: Any) -> io.FileIO | None:
    """The raw file under what an open function returned, if it closes its descriptor; None for anything else."""
    # A NamedTemporaryFile and those of aiofiles keep theirs as `file` and `_file`.
    for name in ("file", "_file", "buffer", "raw"):
        file = getattr(file, name, file)
    return file if type(file) is io.FileIO and file.closefd else None


def shown_name(raw: io.FileIO) -> str:
    """A path's last part: the folder of a test differs from run to run."""
    name = raw.name
    return Path(os.fsdecode(name)).name if isinstance(name, (str, bytes)) else f"descriptor {name}"


def watch_end(raw: io.FileIO, birth: Birth, *, buffered: bool, is_awaited: Callable[[], bool]) -> None:
    """Mark the birth as dropped if that is how the file ends; its ResourceWarning is not made then.

    `is_awaited`: whether the test waits for that very warning.
    """
    if not buffered:
        # Nothing else may hold it, or it would not be closed when it is dropped.
        raw.close = functools.partial(_close_unbuffered, birth, is_awaited, raw.fileno())  # type: ignore[method-assign]
        return

    def dropped(source: object) -> None:
        if is_awaited():
            io.FileIO._dealloc_warn(raw, source)  # type: ignore[attr-defined]
        else:
            birth.dropped = True

    def close() -> None:
        # Garbage is finalized in any order: the raw file may well be before its buffers.
        _note_end(raw, birth, is_awaited)
        io.FileIO.close(raw)

    raw._dealloc_warn = dropped  # type: ignore[attr-defined]
    raw.close = close  # type: ignore[method-assign]


def _close_unbuffered(birth: Birth, is_awaited: Callable[[], bool], number: int) -> None:
    raw = birth.thing()
    if raw is not None:
        _note_end(raw, birth, is_awaited)
        io.FileIO.close(raw)
        return
    # Garbage, of which the weak references die first: it is out of reach, and nothing else closes it any more.
    if is_awaited():
        warnings.warn(f"unclosed file {birth.name!r}", ResourceWarning, stacklevel=2)
    else:
        birth.dropped = True
    with contextlib.suppress(OSError):
        os.close(number)


def _note_end(raw: Any, birth: Birth, is_awaited: Callable[[], bool]) -> None:
    """A finalizer closes the file too, and has set this flag then, which is what makes the ResourceWarning."""
    if raw._finalizing and not is_awaited():
        birth.dropped = True
        raw._finalizing = False
