"""What can go wrong here beyond the operating system's own errors.

Each class is also the built-in exception that one would expect (``ValueError``, ``PermissionError``, ...), so that
``except OSError`` and ``except ValueError`` written before this package was known still catch it.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class FileHandlerError(Exception):
    """The root of this package's own errors."""


class HandlerClosed(FileHandlerError, RuntimeError):
    """The handler was closed; make a new one."""


class LineError(FileHandlerError, ValueError):
    """A line that cannot be written, so nothing was: the file is as it was."""


class NotAString(LineError, TypeError):
    """An item among the lines is not a ``str``, or the lines are themselves one string."""


class UnencodableLine(LineError, UnicodeEncodeError):
    """A line holds a character that the file's encoding has no bytes for."""

    def __init__(self, message: str, cause: UnicodeEncodeError) -> None:
        UnicodeEncodeError.__init__(self, cause.encoding, cause.object, cause.start, cause.end, cause.reason)
        self.message = message

    def __str__(self) -> str:
        return self.message


class UndecodableText(FileHandlerError, UnicodeDecodeError):
    """A file holds bytes that are not text in the handler's encoding.

    `offset` is the position of the first bad byte in the file, `line` the number of its line, from 1.
    """

    def __init__(self, message: str, cause: UnicodeDecodeError, *, offset: int, line: int) -> None:
        UnicodeDecodeError.__init__(self, cause.encoding, cause.object, cause.start, cause.end, cause.reason)
        self.message = message
        self.offset = offset
        self.line = line

    def __str__(self) -> str:
        return self.message


class OutsideRoot(FileHandlerError, PermissionError, ValueError):
    """A path leads out of the folder to which the handler is confined."""


class SpecialFile(FileHandlerError, OSError):
    """A FIFO, socket or device stands where a file was expected; using it could block for ever."""


class WriteInsideWrite(FileHandlerError, RuntimeError):
    """The source of a stream writes to the very file that the stream is for, and would wait for itself."""


class Abandoned(Exception):
    """Inside only: the caller was cancelled, so the work stops here."""


class Busy(Exception):
    """Inside only: a writer of another process is at work on this target."""


class Moved(Exception):
    """Inside only: the path leads to another file than it did when its lock was taken."""


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Let an ``OSError`` name the path that the caller gave, not the side-car or the folder we work through."""
    try:
        yield
    except OSError as error:
        error.filename = path
        if error.filename2 is not None:
            del error.filename2
        raise


def no_such_folder(path: str, folder: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, f"The folder {folder!r} does not exist; create it first", path)
