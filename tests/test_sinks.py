"""A queue's handler that writes to a file: what is put is in the file, in order, or known to be not."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from file_handler import AsyncFileHandler, LineError
from queue_processor import Backoff, ItemFailed, QueueProcessor
from task_queue import AsyncTaskQueue, Task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

Batch = list[str]

BATCHES = [[f"{number}-{line}" for line in range(3)] for number in range(12)]


@pytest_asyncio.fixture
async def files() -> AsyncIterator[AsyncFileHandler]:
    async with AsyncFileHandler(durable=False) as handler:
        yield handler


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "lines.txt"


def lines(batches: list[Batch]) -> Batch:
    return [line for batch in batches for line in batch]


def sink(files: AsyncFileHandler, out: Path, **options: Any) -> QueueProcessor[Batch, None]:
    """One consumer that appends each batch it is given."""

    async def write(batch: Batch) -> None:
        await files.append_lines(out, batch)

    return QueueProcessor(write, maxsize=2, backoff=Backoff(first=0.001), **options)


async def fill(processor: QueueProcessor[Batch, None], batches: list[Batch]) -> None:
    async with processor:
        for batch in batches:
            await processor.put(batch)


async def test_batches_are_in_the_file_in_the_order_of_putting(files: AsyncFileHandler, out: Path) -> None:
    """When the block ends they are all there."""
    await fill(sink(files, out), BATCHES)
    assert await files.read_lines(out) == lines(BATCHES)


async def test_results_go_to_the_file_in_the_order_of_the_tasks(files: AsyncFileHandler, out: Path) -> None:
    """From a queue of tasks that end in any order, straight through."""

    async def fetch(number: int) -> Batch:
        for _ in range(number * 7 % 5):
            await asyncio.sleep(0)
        return BATCHES[number]

    tasks: list[Task] = [(number, fetch, (number,), {}) for number in range(len(BATCHES))]
    async with sink(files, out) as processor:
        async for result in AsyncTaskQueue(4).stream(tasks, in_order=True):
            await processor.put(result.result)
    assert await files.read_lines(out) == lines(BATCHES)


async def test_a_full_disk_is_tried_again_and_doubles_nothing(
    files: AsyncFileHandler, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append that failed has left nothing, so trying it again is safe."""
    await files.write_lines(out, ["before"])
    real_write, refusals = os.write, [True] * 2

    def write(fd: int, data: bytes) -> int:
        if os.fstat(fd).st_ino == out.stat().st_ino and refusals:
            if len(data) > 3:
                return real_write(fd, data[:3])
            refusals.pop()
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(fd, data)

    monkeypatch.setattr(os, "write", write)
    await fill(sink(files, out), [["first", "second"], ["third"]])
    assert refusals == []
    assert await files.read_lines(out) == ["before", "first", "second", "third"]


async def test_a_batch_that_cannot_be_written_is_a_dead_letter_whole(files: AsyncFileHandler, out: Path) -> None:
    """The others are written, and none of its own lines is."""
    processor = sink(files, out)
    await fill(processor, [["a"], ["b", "two\nlines"], ["c"]])
    assert await files.read_lines(out) == ["a", "c"]
    (letter,) = processor.dead_letters
    assert letter.item == ["b", "two\nlines"]
    assert isinstance(letter.error, LineError)


async def test_a_strict_sink_stops_before_the_gap(files: AsyncFileHandler, out: Path) -> None:
    """With on_failure="raise" the file is a beginning without a gap."""
    with pytest.raises(ItemFailed):
        await fill(sink(files, out, attempts=1, on_failure="raise"), [["a"], ["two\nlines"], ["c"], ["d"], ["e"]])
    assert await files.read_lines(out) == ["a"]


@pytest.mark.parametrize("turns", [1, 2, 3, 4, 6, 9, 14, 20, 40, 80])
async def test_cancelled_anywhere_nothing_is_torn_lost_or_out_of_order(
    files: AsyncFileHandler, out: Path, turns: int
) -> None:
    """What was put is in the file or still known to the processor; the next service writes it: at least once."""
    processor, put = sink(files, out, attempts=1), list[Batch]()

    async def feed() -> None:
        async with processor:
            for batch in BATCHES:
                await processor.put(batch)
                put.append(batch)

    task = asyncio.create_task(feed())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    written = await files.read_lines(out) if out.exists() else []
    assert written == lines(BATCHES)[: len(written)]
    assert len(written) % 3 == 0
    left = processor.unfinished
    assert [batch for batch in put if batch not in left] == BATCHES[: len(put) - sum(batch in put for batch in left)]
    await fill(processor, [])
    again = await files.read_lines(out) if out.exists() else []
    assert set(again) >= set(lines(put))
    # Only the batch in whose write the cancellation fell may be there twice.
    assert len(again) - len(set(again)) in (0, 3)


async def test_a_cancellation_inside_the_write_leaves_no_torn_line(
    files: AsyncFileHandler, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held in the middle of os.write, with half of the batch on the disk."""
    await files.write_lines(out, ["before"])
    loop, real_write = asyncio.get_running_loop(), os.write
    halfway: asyncio.Future[Callable[[], None]] = loop.create_future()

    def write(fd: int, data: bytes) -> int:
        if os.fstat(fd).st_ino == out.stat().st_ino and not halfway.done():
            written = real_write(fd, data[: len(data) // 2])
            gate = asyncio.run_coroutine_threadsafe(_gate(halfway), loop)
            gate.result(30)
            return written
        return real_write(fd, data)

    monkeypatch.setattr(os, "write", write)
    task = asyncio.create_task(fill(sink(files, out, attempts=1), [["a" * 1000, "b" * 1000]]))
    open_gate = await halfway
    task.cancel()
    await asyncio.sleep(0)
    open_gate()
    await asyncio.wait([task])
    assert await files.read_lines(out) in (["before"], ["before", "a" * 1000, "b" * 1000])


async def _gate(reached: asyncio.Future[Callable[[], None]]) -> None:
    opened = asyncio.Event()
    reached.set_result(opened.set)
    await opened.wait()
