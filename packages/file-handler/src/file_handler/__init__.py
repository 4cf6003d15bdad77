"""Lines of text in files, read in constant memory and written whole or not at all."""

from __future__ import annotations

from file_handler.errors import (
    FileHandlerError,
    HandlerClosed,
    LineError,
    NotAString,
    OutsideRoot,
    SpecialFile,
    UndecodableText,
    UnencodableLine,
    WriteInsideWrite,
)
from file_handler.handler import AsyncFileHandler

__all__ = [
    "AsyncFileHandler",
    "FileHandlerError",
    "HandlerClosed",
    "LineError",
    "NotAString",
    "OutsideRoot",
    "SpecialFile",
    "UndecodableText",
    "UnencodableLine",
    "WriteInsideWrite",
]
