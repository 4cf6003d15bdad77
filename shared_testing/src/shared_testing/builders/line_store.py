"""Lines of text in memory: what a handler of files does, for code that is given one.

It keeps the same contract as one on a disk (contracts/line_store_suite.py), so that a test with it says something
about the disk. What a real disk does when it is full or forbidden the other builders of `files` show.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable

    Path = str | os.PathLike[str]


class LinesInMemory:
    """Has the methods of a line store, and takes any path: ``files.in_memory()``."""

    def __init__(self) -> None:
        self._contents: dict[str, tuple[str, ...]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._failures: list[OSError] = []
        self._closed = False

    def __repr__(self) -> str:
        told = ", ".join(f"{path}: {len(lines)}" for path, lines in self._contents.items())
        return f"<lines in memory: {told or 'none'}>"

    def __getitem__(self, path: Path) -> list[str]:
        """What is there now, to look at it: ``store["out.txt"]``. KeyError where nothing is."""
        return list(self._contents[os.fspath(path)])

    def fails(self, error: OSError, times: int = 1) -> Self:
        """The next `times` writes raise `error`, and change nothing."""
        self._failures += [error] * times
        return self

    async def read_lines(self, path: Path) -> list[str]:
        """All lines. Raises FileNotFoundError where nothing is."""
        return [line async for line in self.iter_lines(path)]

    async def iter_lines(self, path: Path) -> AsyncGenerator[str, None]:
        """The lines one by one, as of the first of them."""
        async for batch in self.iter_batches(path):
            for line in batch:
                yield line

    async def iter_batches(self, path: Path) -> AsyncGenerator[list[str], None]:
        """As `iter_lines`, some hundred lines at a time."""
        await self._begin()
        try:
            lines = self._contents[os.fspath(path)]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path)) from None
        for start in range(0, len(lines), 500):
            yield list(lines[start : start + 500])
            await asyncio.sleep(0)

    async def write_lines(self, path: Path, lines: Iterable[str], *, durable: bool | None = None) -> None:
        """Make `lines` the content, whole or not at all. Raises ValueError or TypeError for what is no line."""
        await self._write(path, lines, durable, lambda _, new: new)

    async def write_stream(
        self, path: Path, lines: Iterable[str] | AsyncIterable[str], *, durable: bool | None = None
    ) -> int:
        """As `write_lines`, once all lines have come; how many there were."""
        return await self._write(path, lines, durable, lambda _, new: new)

    async def append_lines(self, path: Path, lines: Iterable[str], *, durable: bool | None = None) -> None:
        """Add `lines`, all or none, in the order of asking."""
        await self._write(path, lines, durable, lambda old, new: old + new)

    async def close(self) -> None:
        """Refuse what comes from now on."""
        self._closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ------------------------------------------------------------ inside

    async def _begin(self) -> None:
        if self._closed:
            raise RuntimeError(f"{self!r} is closed; make a new one")
        # One turn at least, as to a disk: else races would hide.
        await asyncio.sleep(0)

    async def _write(
        self,
        path: Path,
        lines: Any,
        durable: bool | None,  # noqa: ARG002 - memory keeps nothing either way
        combine: Callable[[tuple[str, ...], tuple[str, ...]], tuple[str, ...]],
    ) -> int:
        key, given = os.fspath(path), tuple(lines) if isinstance(lines, list | tuple) else lines
        if isinstance(given, str | bytes):
            raise TypeError(f"{key}: lines is one {type(given).__name__}, which would be written one character a line")
        async with self._turns[key]:
            await self._begin()
            new = tuple([line async for line in given] if hasattr(given, "__aiter__") else given)
            for number, line in enumerate(new, 1):
                _check(line, f"{key}: line {number}")
            if self._failures:
                raise self._failures.pop(0)
            self._contents[key] = combine(self._contents.get(key, ()), new)
        return len(new)


def _check(line: object, place: str) -> None:
    if not isinstance(line, str):
        raise TypeError(f"{place} is {type(line).__name__}, not str; nothing was written")
    if "\n" in line:
        raise ValueError(f"{place} holds a line break and would come back as two lines; nothing was written")
    line.encode()
