"""Read a file's lines in batches, on a thread, and close the file whatever happens."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

import aiofiles

from file_handler import append_journal
from file_handler.errors import naming
from file_handler.lines import LineDecoder
from file_handler.regular_file import open_for_reading
from file_handler.strand import Strand

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from concurrent.futures import Executor

    from file_handler.lines import TextFormat

# A hop to a thread and back costs as much as reading 64 KiB, so each fetches more.
_FETCH = 1 << 20
# The loop gets a turn after each piece. A piece of empty lines holds as many lines as it has bytes.
_PIECE = 1 << 16


class Source:
    """The descriptor of a file being read. Its methods run on a strand, one at a time.

    The descriptor is ours and not aiofiles's: an ``aiofiles.open`` that is cancelled while its thread is still opening
    would drop the file unclosed.
    """

    def __init__(self, path: str, root: str | None, *, allow_special: bool) -> None:
        self.path = path
        self._root = root
        self._allow_special = allow_special
        self._fd: int | None = None
        # Where this reading ends; None: where the file does, for want of a size to go by (a FIFO, /proc).
        self.limit: int | None = None

    def open(self) -> int:
        self._fd = fd = open_for_reading(self.path, self._root, allow_special=self._allow_special)
        if self._is_sized():
            with naming(self.path):
                self.limit = append_journal.settled_size(fd, self.path)
        return fd

    def _is_sized(self) -> bool:
        status = os.fstat(self._fd or 0)
        return stat.S_ISREG(status.st_mode) and status.st_size > 0

    def was_empty(self) -> bool:
        """Whether a file without a size has got one by now: then it was empty when opened, and is no /proc file."""
        return self.limit is None and self._is_sized()

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


async def read_batches(source: Source, text_format: TextFormat, pool: Executor) -> AsyncGenerator[list[str], None]:
    """The lines of the file as it was when opened. Between two batches the loop has had a turn.

    Closing or cancelling it closes the file: at once, or when the thread that is reading it comes back.
    """
    strand = Strand(pool)
    decoder = LineDecoder(text_format, source.path)
    try:
        async for piece in _pieces(source, strand):
            lines = decoder.feed(piece)
            if lines:
                yield lines
        last = decoder.finish()
        if last:
            yield last
    finally:
        strand.after_all(source.close)


async def _pieces(source: Source, strand: Strand) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    fd = await loop.run_in_executor(strand, source.open)
    file = await aiofiles.open(fd, "rb", buffering=0, closefd=False, loop=loop, executor=strand)
    left = source.limit
    while left is None or left > 0:
        with naming(source.path):
            block = await file.read(_FETCH if left is None else min(_FETCH, left))
        if not block or (left is None and await loop.run_in_executor(strand, source.was_empty)):
            return
        for at in range(0, len(block), _PIECE):
            if at:
                await asyncio.sleep(0)
            yield block[at : at + _PIECE]
        if left is not None:
            left -= len(block)
