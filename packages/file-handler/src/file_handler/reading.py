"""Read a file's lines in batches, on a thread, and close the file whatever happens."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING, TypeVar

import aiofiles

from file_handler import append_journal
from file_handler.errors import naming
from file_handler.lines import LineDecoder
from file_handler.regular_file import open_for_reading
from file_handler.strand import Strand

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from concurrent.futures import Executor

    from aiofiles.threadpool.binary import AsyncFileIO

    from file_handler.lines import TextFormat

T = TypeVar("T")

# A hop to a thread and back costs as much as reading 64 KiB, more on a busy machine, so each fetches much more.
_FETCH = 1 << 21

# The loop gets a turn at least this often, or after each piece, if the consumer takes longer over one.
_TURN_SECONDS = 0.005


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


class Fetcher:
    """Brings the blocks of a source to the loop, up to its limit."""

    def __init__(self, source: Source, strand: Strand) -> None:
        self._source = source
        self._strand = strand
        self._file: AsyncFileIO | None = None
        self._done = 0

    async def fetch(self) -> bytes:
        """The next block; empty at the end."""
        if self._file is None:
            self._file = await self._open()
        limit = self._source.limit
        with naming(self._source.path):
            block: bytes = await self._file.read(_FETCH if limit is None else min(_FETCH, limit - self._done))
        if limit is None and block and not self._done and await self._on_strand(self._source.was_empty):
            return b""
        self._done += len(block)
        return block

    async def _open(self) -> AsyncFileIO:
        fd = await self._on_strand(self._source.open)
        return await aiofiles.open(fd, "rb", buffering=0, closefd=False, executor=self._strand)

    async def _on_strand(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._strand, call)


async def read_batches(source: Source, text_format: TextFormat, pool: Executor) -> AsyncGenerator[list[str], None]:
    """The lines of the file as it was when opened.

    Closing or cancelling it closes the file: at once, or when the thread that is reading it comes back.
    """
    loop = asyncio.get_running_loop()
    strand = Strand(pool)
    fetcher = Fetcher(source, strand)
    decoder = LineDecoder(text_format, source.path)
    try:
        while block := await fetcher.fetch():
            # Fetching was a turn of the loop; a consumer that takes long over its lines gives further ones.
            turn = loop.time()
            for lines in decoder.feed(block):
                yield lines
                if loop.time() - turn > _TURN_SECONDS:
                    await asyncio.sleep(0)
                    turn = loop.time()
        if last := decoder.finish():
            yield last
    finally:
        strand.after_all(source.close)
