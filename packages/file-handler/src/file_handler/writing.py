"""Lead a write from the asking to the last lock released, on whichever path it ends.

The blocking steps run on a thread. A caller that is cancelled is let go as soon as its thread has removed the draft,
and the path is free for the next writer only then: nothing goes on behind the caller's back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Self, TypeVar

from file_handler.errors import Busy, Moved
from file_handler.lines import BATCH, LineEncoder, encode_all
from file_handler.path_locks import PATH_LOCKS
from file_handler.strand import Strand

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from concurrent.futures import Executor

    from file_handler.append import Append
    from file_handler.atomic_write import AtomicWrite, WriteSteps
    from file_handler.lines import TextFormat

T = TypeVar("T")

# A thread that hangs in the disk longer than this finishes its clean-up without the cancelled caller.
GRACE_SECONDS = 1.0

# Another process's writer cannot wake us, so we look again: soon at first.
_FIRST_LOOK, _LAST_LOOK = 0.002, 0.1

# A batch of a stream is passed on at this many characters, if it has not its full number of lines before.
_STREAM_CHARACTERS = 1 << 18


class Writing:
    """One write: its locks, its strand, its steps."""

    def __init__(self, steps: WriteSteps, pool: Executor) -> None:
        self._steps = steps
        self._strand = Strand(pool)
        self._held: list[Hashable] = []

    async def __aenter__(self) -> Self:
        """Wait for this path's turn among the writers that spell it in the same way."""
        await self._hold(("spelled", self._steps.spelling))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._steps.abandon()
        if self._strand.idle and self._steps.holds_nothing:
            self._let_go()
            return
        for key in self._held:
            PATH_LOCKS.disown(key)
        try:
            self._strand.submit(self._let_go)
            behind_it = asyncio.get_running_loop().run_in_executor(self._strand, bool)
        except RuntimeError:  # a coroutine that is collected after its loop was closed
            self._strand.after_all(self._let_go)
            return
        # Cancelling this wait, by a second cancellation too, does not cancel the clean-up.
        try:
            await asyncio.wait([behind_it], timeout=GRACE_SECONDS)
        finally:
            behind_it.cancel()

    async def _hold(self, key: Hashable) -> None:
        await PATH_LOCKS.acquire(key)
        self._held.append(key)

    def _let_go(self) -> None:
        self._steps.discard()
        while self._held:
            PATH_LOCKS.release(self._held.pop())

    async def step(self, call: Callable[[], T]) -> T:
        """Run a step that needs no other process's consent."""
        return await asyncio.get_running_loop().run_in_executor(self._strand, call)

    async def begin(self, call: Callable[[], T]) -> T:
        """Run the step that claims the side-car, when the target is ours: among all spellings, among all processes."""
        look = _FIRST_LOOK
        while True:
            key = await self.step(self._steps.identify)
            await self._hold(key)
            try:
                return await self.step(lambda key=key: self._attempt(key, call))  # type: ignore[misc]
            except Moved:
                PATH_LOCKS.release(self._held.pop())
            except Busy:
                PATH_LOCKS.release(self._held.pop())
                await asyncio.sleep(look)
                look = min(look * 2, _LAST_LOOK)

    def _attempt(self, key: Hashable, call: Callable[[], T]) -> T:
        try:
            self._steps.enter(key)
            return call()
        except (Moved, Busy):
            self._steps.discard()
            raise


async def replace_content(write: AtomicWrite, lines: Sequence[str], text_format: TextFormat, pool: Executor) -> None:
    """Write `lines`, in a single hop to a thread."""

    def whole() -> None:
        write.begin()
        write.write_each(encode_all(lines, LineEncoder(text_format, write.path)))
        write.finish()

    async with Writing(write, pool) as writing:
        await writing.begin(whole)


async def append_content(append: Append, lines: Sequence[str], text_format: TextFormat, pool: Executor) -> None:
    """Append `lines`, in a single hop to a thread."""

    def whole() -> None:
        append.begin()
        append.append(lines, text_format)
        append.discard()

    async with Writing(append, pool) as writing:
        await writing.begin(whole)


async def stream_content(
    write: AtomicWrite, lines: Iterable[str] | AsyncIterable[str], text_format: TextFormat, pool: Executor
) -> int:
    """Write lines as they come, holding one batch of them in memory. Returns their number."""
    async with Writing(write, pool) as writing:
        await writing.begin(write.begin)
        batch = _StreamBatch(write, writing, text_format)
        # Not by way of an async generator of ours, which would stay open behind an error.
        if isinstance(lines, AsyncIterable):
            async for line in lines:
                if batch.add(line):
                    await batch.flush()
        else:
            for line in lines:
                if batch.add(line):
                    await batch.flush()
        await batch.flush()
        await writing.step(write.finish)
    return batch.encoder.count


class _StreamBatch:
    """The lines of a stream that have come and are not yet in the draft."""

    def __init__(self, write: AtomicWrite, writing: Writing, text_format: TextFormat) -> None:
        self._write = write
        self._writing = writing
        self.encoder = LineEncoder(text_format, write.path)
        self._lines: list[str] = []
        self._characters = 0

    def add(self, line: str) -> bool:
        """Take a line; whether it is time to flush."""
        self._lines.append(line)
        if isinstance(line, str):  # what is no line is refused by the encoder, with its number
            self._characters += len(line)
        return len(self._lines) >= BATCH or self._characters >= _STREAM_CHARACTERS

    async def flush(self) -> None:
        lines, self._lines, self._characters = self._lines, [], 0
        data = self.encoder.encode(lines)
        await self._writing.step(lambda: self._write.write(data))
