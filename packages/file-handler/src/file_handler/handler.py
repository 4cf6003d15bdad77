"""The public class: lines of text files, without blocking the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from file_handler.append import Append
from file_handler.atomic_write import AtomicWrite
from file_handler.confinement import spelled
from file_handler.errors import HandlerClosed
from file_handler.lines import TextFormat, refuse_bare_text
from file_handler.path_locks import Turnstile
from file_handler.pool import DaemonPool
from file_handler.reading import Source, read_batches
from file_handler.writing import append_content, replace_content, stream_content

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator

    Path = str | os.PathLike[str]


class AsyncFileHandler:
    """Reads and writes files of lines."""

    def __init__(
        self,
        root: Path | None = None,
        *,
        encoding: str = "utf-8",
        errors: str = "strict",
        durable: bool = True,
        threads: int = 4,
        allow_special: bool = False,
    ) -> None:
        self._root = None if root is None else spelled(root, None)
        self._format = TextFormat(encoding, errors)
        self._durable = durable
        self._allow_special = allow_special
        self._pool = DaemonPool(threads)
        # Reading whole files holds a descriptor each, so ten thousand calls at once must not mean ten thousand files.
        self._readers = Turnstile(2 * threads)
        self._writes: set[Future[None]] = set()
        self._closed = False

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<AsyncFileHandler root={self._root!r} encoding={self._format.encoding!r}{state}>"

    async def read_lines(self, path: Path) -> list[str]:
        """All lines of the file, without their line ends."""
        lines: list[str] = []
        await self._readers.enter()
        try:
            async for batch in self.iter_batches(path):
                lines += batch
        finally:
            self._readers.leave()
        return lines

    async def iter_lines(self, path: Path) -> AsyncGenerator[str, None]:
        """The lines of the file one by one, in constant memory."""
        batches = self.iter_batches(path)
        try:
            async for batch in batches:
                for line in batch:
                    yield line
        finally:
            await batches.aclose()

    def iter_batches(self, path: Path) -> AsyncGenerator[list[str], None]:
        """The lines of the file, a list of them at a time, in constant memory."""
        self._check_open()
        source = Source(spelled(path, self._root), self._root, allow_special=self._allow_special)
        return read_batches(source, self._format, self._pool)

    async def write_lines(self, path: Path, lines: Iterable[str], *, durable: bool | None = None) -> None:
        """Make `lines` the content of the file, whole or not at all."""
        write = AtomicWrite(spelled(path, self._root), self._root, durable=self._is_durable(durable))
        refuse_bare_text(lines, write.path)
        with self._writing():
            if isinstance(lines, (list, tuple)):
                # A copy: the caller's other tasks may change the list while a thread goes through it.
                await replace_content(write, tuple(lines), self._format, self._pool)
            else:
                await stream_content(write, lines, self._format, self._pool)

    async def write_stream(
        self, path: Path, lines: Iterable[str] | AsyncIterable[str], *, durable: bool | None = None
    ) -> int:
        """Make the lines that come from `lines` the content of the file, once they have all come."""
        write = AtomicWrite(spelled(path, self._root), self._root, durable=self._is_durable(durable))
        refuse_bare_text(lines, write.path)
        with self._writing():
            return await stream_content(write, lines, self._format, self._pool)

    async def append_lines(self, path: Path, lines: Iterable[str], *, durable: bool | None = None) -> None:
        """Add `lines` to the end of the file, all or none."""
        append = Append(spelled(path, self._root), self._root, durable=self._is_durable(durable))
        refuse_bare_text(lines, append.path)
        with self._writing():
            await append_content(append, tuple(lines), self._format, self._pool)

    async def close(self) -> None:
        """Finish the writes that have begun, refuse new work, end the threads."""
        self._closed = True
        while self._writes:
            await asyncio.wait([asyncio.wrap_future(write) for write in self._writes])
        self._pool.shutdown()

    async def __aenter__(self) -> Self:
        self._check_open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _is_durable(self, durable: bool | None) -> bool:
        return self._durable if durable is None else durable

    def _check_open(self) -> None:
        if self._closed:
            raise HandlerClosed(f"{self!r} is closed; make a new AsyncFileHandler")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._check_open()
        done: Future[None] = Future()
        self._writes.add(done)
        try:
            yield
        finally:
            self._writes.discard(done)
            done.set_result(None)
