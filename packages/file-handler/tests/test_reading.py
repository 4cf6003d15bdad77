"""Reading in constant memory, off the loop, as of one moment; and the file closed however it ends."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import tracemalloc
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from file_handler import AsyncFileHandler, UndecodableText, reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Gate


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.txt"
    path.write_text("".join(f"{number:0100d}\n" for number in range(50_000)))
    return path


async def test_lines_come_in_order_and_complete(handler: AsyncFileHandler, big: Path) -> None:
    """One by one or in batches, over many fetches."""
    expected = [f"{number:0100d}" for number in range(50_000)]
    assert [line async for line in handler.iter_lines(big)] == expected
    assert [line async for batch in handler.iter_batches(big) for line in batch] == expected
    assert await handler.read_lines(big) == expected


@pytest.mark.parametrize("content", [b"", b"\n", b"a", b"a\n\nb", b"\r\n\r\n"])
async def test_all_ways_of_reading_agree(handler: AsyncFileHandler, tmp_path: Path, content: bytes) -> None:
    """For the small files too."""
    (tmp_path / "f").write_bytes(content)
    lines = await handler.read_lines(tmp_path / "f")
    assert lines == [line.removesuffix("\r") for line in content.decode().split("\n")][: len(lines)]
    assert [line async for line in handler.iter_lines(tmp_path / "f")] == lines
    assert [line async for batch in handler.iter_batches(tmp_path / "f") for line in batch] == lines


@pytest.mark.allow_finding("AT305", reason="it leaves the reading early, without aclosing")
async def test_memory_does_not_grow_with_the_file(handler: AsyncFileHandler, big: Path) -> None:
    """20 MB go by in a few. (F7)"""
    big.write_bytes(big.read_bytes() * 4)
    async for _ in handler.iter_lines(big):
        break
    tracemalloc.start()
    try:
        async for _ in handler.iter_lines(big):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The lines of one piece, and the next piece or two on their way: how many is the threads' to say.
    assert peak < 8_000_000


async def test_the_loop_gets_its_turns(handler: AsyncFileHandler, big: Path) -> None:
    """A task that only yields runs at least once for each MiB, though the lines come without waiting. (F10)"""
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    async for _ in handler.iter_lines(big):
        pass
    ticking.cancel()
    assert turns >= 5


@pytest.mark.allow_finding("AT305", reason="it leaves the reading early, without aclosing")
async def test_a_slow_consumer_gives_turns_between_pieces(
    handler: AsyncFileHandler, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its own work takes the time, the loop does not have to wait for the next fetch. (F10)"""
    loop = asyncio.get_running_loop()
    now = loop.time()

    def time() -> float:
        nonlocal now
        now += 0.006
        return now

    turns = list[int]()
    batches = 0
    async for _ in handler.iter_batches(big):
        if not batches:
            monkeypatch.setattr(loop, "time", time)
        batches += 1
        if batches == 10:
            break
        loop.call_soon(turns.append, 1)
    monkeypatch.undo()
    assert len(turns) >= 8


async def test_the_loop_never_reads_or_opens(
    handler: AsyncFileHandler, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That happens on the handler's own threads. (F10, F16)"""
    threads = set[str]()
    real_open = os.open

    def spy(*args: str, **kwargs: int) -> int:
        threads.add(threading.current_thread().name)
        return real_open(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", spy)
    await handler.read_lines(big)
    assert threads
    assert all(name.startswith("file-handler") for name in threads)


@pytest.mark.allow_finding("AT305", reason="it leaves the reading early, without aclosing")
async def test_stopping_early_closes_the_file(
    handler: AsyncFileHandler, big: Path, open_descriptors: Callable[[], int]
) -> None:
    """At once with aclosing(); after a bare break as soon as the loop runs on."""
    before = open_descriptors()
    async with aclosing(handler.iter_lines(big)) as lines:
        async for _ in lines:
            break
        assert open_descriptors() == before + 1
    assert open_descriptors() == before
    async for _ in handler.iter_lines(big):
        break
    gc.collect()
    for _ in range(3):
        await asyncio.sleep(0)
    assert open_descriptors() == before


async def test_an_error_in_the_file_closes_it(
    handler: AsyncFileHandler, tmp_path: Path, open_descriptors: Callable[[], int]
) -> None:
    """And the lines before it have come."""
    (tmp_path / "bad").write_bytes(b"a\n" * 100_000 + b"\xff\n")
    before, seen = open_descriptors(), list[str]()

    async def read() -> None:
        async for line in handler.iter_lines(tmp_path / "bad"):
            seen.append(line)

    with pytest.raises(UndecodableText, match="offset 200000, line 100001"):
        await read()
    assert len(seen) > 50_000
    assert open_descriptors() == before


@pytest.mark.parametrize("call", ["open", "fstat"])
async def test_a_read_cancelled_while_its_thread_is_busy_closes_the_file(
    handler: AsyncFileHandler, big: Path, gate_at: Callable[..., Gate], open_descriptors: Callable[[], int], call: str
) -> None:
    """The caller is let go at once; the thread closes the file when it comes back."""
    before = open_descriptors()
    gate = gate_at(call)
    task = asyncio.create_task(handler.read_lines(big))
    await gate.reached()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open()
    await handler.close()  # waits for the threads that are about to end
    while open_descriptors() != before:  # noqa: ASYNC110 - a thread outside asyncio closes it
        await asyncio.sleep(0)


async def test_a_reading_ends_where_the_file_ended(handler: AsyncFileHandler, target: Path) -> None:
    """A file that grows while it is read does not keep the reader for ever."""
    seen = 0
    async for line in handler.iter_lines(target):
        seen += 1
        assert seen == 1, "this line came after the reading began"
        await handler.append_lines(target, [line])
    assert seen == 1
    assert await handler.read_lines(target) == ["old", "old"]


async def test_files_without_a_size_are_read_to_their_end(handler: AsyncFileHandler) -> None:
    """/proc says 0 and holds text."""
    assert any(line.startswith("VmHWM") for line in await handler.read_lines("/proc/self/status"))


async def test_a_file_that_was_empty_stays_empty_for_its_reader(
    handler: AsyncFileHandler, target: Path, gate_at: Callable[..., Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is appended between its opening and its reading is not of that moment. (F6)"""
    target.write_text("")
    real_open = reading.Source.open

    def open_then_grow(source: reading.Source) -> int:
        fd = real_open(source)
        target.write_text("half of a li")
        return fd

    monkeypatch.setattr(reading.Source, "open", open_then_grow)
    assert await handler.read_lines(target) == []


async def test_a_very_long_line_is_one_line(handler: AsyncFileHandler, tmp_path: Path) -> None:
    """Longer than what is fetched at a time."""
    lines = ["a" * 3_000_000, "b", "é" * 1_000_000]
    await handler.write_lines(tmp_path / "long", lines, durable=False)
    assert await handler.read_lines(tmp_path / "long") == lines
