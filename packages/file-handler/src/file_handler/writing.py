"""Lead a write from the asking to the last lock released, on whichever path it ends.

The blocking steps run on a thread. A caller that is cancelled is let go as soon as its thread has removed the draft,
and the path is free for the next writer only then: nothing goes on behind the caller's back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, TypeVar

from file_handler.append import Append
from file_handler.atomic_write import AtomicWrite, Moved, WriteSteps
from file_handler.lines import BATCH, LineEncoder, TextFormat, encode_all
from file_handler.path_locks import PATH_LOCKS
from file_handler.side_car import Busy
from file_handler.strand import Strand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Sequence
    from concurrent.futures import Executor

T = TypeVar("T")
Steps = TypeVar("Steps", bound=WriteSteps)

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

    async def __aenter__(self) -> Writing:
        """Wait for this path's turn among the writers that spell it in the same way."""
        await self._hold(("spelled", os.path.normpath(self._steps.path)))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._steps.abandon()
        if self._steps.holds_nothing:
            self._strand.after_all(self._let_go)
            return
        # Not awaited by itself: a second cancellation must not cancel the clean-up.
        done = asyncio.get_running_loop().run_in_executor(self._strand, self._let_go)
        await asyncio.wait([done], timeout=GRACE_SECONDS)

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
        write.commit()
        write.discard()

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
    encoder = LineEncoder(text_format, write.path)
    async with Writing(write, pool) as writing:
        await writing.begin(write.begin)
        async for batch in _batched(lines):
            data = encoder.encode(batch)
            await writing.step(lambda data=data: write.write(data))  # type: ignore[misc]
        await writing.step(write.commit)
    return encoder.count


async def _batched(lines: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    size = 0
    async for line in _asynchronously(lines):
        batch.append(line)
        size += len(line) if isinstance(line, str) else 0
        if len(batch) == BATCH or size >= _STREAM_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def _asynchronously(lines: Iterable[str] | AsyncIterable[str]) -> AsyncIterator[str]:
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield line
    else:
        for line in lines:
            yield line
