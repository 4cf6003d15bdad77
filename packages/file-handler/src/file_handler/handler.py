"""The public class: lines of text files, without blocking the event loop."""

from __future__ import annotations

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
from file_handler.thread_results import resolve, wait_until_done
from file_handler.writing import append_content, replace_content, stream_content

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator

    Path = str | os.PathLike[str]


class AsyncFileHandler:
    r"""Reads and writes files of lines, off the event loop.

    Works as it is, with ``async with``, or with ``close()``; from any event loop and from several. Only ``\n`` (or, in
    reading, ``\r\n``) ends a line, and what was written comes back as the same list.

    - `root`: confines the handler. Relative paths start there; no absolute path, ``..`` or link leads out.
    - `encoding`, `errors`: as for ``open()``, but UTF-8 whatever the locale. The encoding must be a superset of ASCII.
    - `durable`: whether a write is on the disk when it returns (fsync). Each write may say otherwise.
    - `threads`: how many calls may wait for the disk at once. The threads are this handler's own.
    - `allow_special`: read FIFOs and devices too, each of which may keep one of the threads for as long as it likes.

    Raises `ValueError` or `LookupError` for options that cannot work.
    """

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
        """All lines of the file, without their line ends, as of one moment.

        Raises `UndecodableText`, naming offset and line; `SpecialFile` for a FIFO or device; `OutsideRoot`; or the
        `OSError` that ``open()`` would raise. Cancelled, it returns at once, and the file is closed when its thread
        comes back.
        """
        lines: list[str] = []
        await self._readers.enter()
        try:
            async for batch in self.iter_batches(path):
                lines += batch
        finally:
            self._readers.leave()
        return lines

    async def iter_lines(self, path: Path) -> AsyncGenerator[str, None]:
        """The lines of the file one by one, in constant memory (some 4 MiB), as of the moment of opening it.

        Raises as `read_lines` does, at the first line or where it finds the fault. Left early, the file is closed
        when the iterator is: with ``contextlib.aclosing`` at once, else when the loop has collected it.
        """
        batches = self.iter_batches(path)
        try:
            async for batch in batches:
                for line in batch:
                    yield line
        finally:
            await batches.aclose()

    def iter_batches(self, path: Path) -> AsyncGenerator[list[str], None]:
        """As `iter_lines`, but some hundred lines at a time, which takes little more than half the time for each."""
        self._check_open()
        source = Source(spelled(path, self._root), self._root, allow_special=self._allow_special)
        return read_batches(source, self._format, self._pool)

    async def write_lines(self, path: Path, lines: Iterable[str], *, durable: bool | None = None) -> None:
        r"""Make `lines` the content of the file, whole or not at all.

        Readers see the old file or the new one. Raises `LineError` (with the number of the line) for a line that
        holds ``\n``, is no ``str`` or cannot be encoded, `NotAString` if `lines` is itself a string, or the `OSError`
        of the full disk: the old content stays. Writers of one path take turns, also those of other processes.
        Cancelled, it returns when the draft is gone, at most a second later: the old content stays, or, if the
        renaming had begun, the new is there.
        """
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
        """Make the lines that come from `lines` the content of the file, once they have all come.

        Holds one batch in memory. Returns the number of lines. As `write_lines` otherwise; an error or cancellation
        of the source leaves the old content. Other writers of the path wait meanwhile; raises `WriteInsideWrite` if
        the source itself is one of them.
        """
        write = AtomicWrite(spelled(path, self._root), self._root, durable=self._is_durable(durable))
        refuse_bare_text(lines, write.path)
        with self._writing():
            return await stream_content(write, lines, self._format, self._pool)

    async def append_lines(self, path: Path, lines: Iterable[str], *, durable: bool | None = None) -> None:
        """Add `lines` to the end of the file, all or none, making the file if need be.

        A last line without a line end gets one first. Durable, it costs one fsync. Raises as `write_lines` does.
        Cancelled, it returns when it is decided: all lines or none. Calls are served in the order of asking.
        """
        append = Append(spelled(path, self._root), self._root, durable=self._is_durable(durable))
        refuse_bare_text(lines, append.path)
        with self._writing():
            await append_content(append, tuple(lines), self._format, self._pool)

    async def close(self) -> None:
        """Refuse new work, finish the writes that have begun, end the threads.

        What is being read raises `HandlerClosed` at its next fetch. A thread that is stuck in a read is waited for
        a second at most: it ends when it comes back, or with the process. Cancelled, it can be called again.
        """
        self._closed = True
        while self._writes:
            await wait_until_done(self._writes)
        await self._pool.close()

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
            resolve(done)
