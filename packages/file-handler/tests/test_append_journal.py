"""An append that was cut off does not count, neither for readers nor for the next writer."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from file_handler import append_journal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from conftest import Child, Gate

    from file_handler import AsyncFileHandler

# The target takes five bytes of the batch, then the process waits to be killed.
CUT_OFF = """
real_write = os.write
def write(fd, data):
    if os.fstat(fd).st_ino != os.stat(path).st_ino or fd < 3:
        return real_write(fd, data)
    real_write(fd, data[:{taken}])
    real_write(1, b"here\\n")
    signal.pause()
os.write = write
asyncio.run(AsyncFileHandler().append_lines(path, ["first new", "second new"]))
"""


@pytest.fixture
def killed_append(child: Callable[..., Child], target: Path) -> Callable[[int], Awaitable[None]]:
    async def kill_after(taken: int) -> None:
        writer = child(CUT_OFF.format(taken=taken), target)
        assert await asyncio.to_thread(writer.wait_for_line) == "here"
        await asyncio.to_thread(writer.kill)

    return kill_after


async def test_readers_do_not_see_the_part_of_a_killed_append(
    handler: AsyncFileHandler, target: Path, killed_append: Callable[[int], Awaitable[None]]
) -> None:
    """It is on the disk, but the side-car tells that it is a part. (F6b)"""
    await killed_append(5)
    assert target.read_text() == "old\nfirst"
    assert await handler.read_lines(target) == ["old"]


@pytest.mark.parametrize("taken", [0, 5, 10])
async def test_the_next_append_cuts_the_part_off(
    names: Callable[[Path], list[str]],
    handler: AsyncFileHandler,
    target: Path,
    killed_append: Callable[[int], Awaitable[None]],
    taken: int,
) -> None:
    """Also where the part ends with a line."""
    await killed_append(taken)
    await handler.append_lines(target, ["next"])
    assert target.read_text() == "old\nnext\n"
    assert names(target.parent) == ["lines.txt"]


async def test_a_whole_batch_counts(
    handler: AsyncFileHandler, target: Path, killed_append: Callable[[int], Awaitable[None]]
) -> None:
    """Killed after the last byte: it is there, for readers and for writers."""
    await killed_append(100)
    whole = ["old", "first new", "second new"]
    assert await handler.read_lines(target) == whole
    await handler.append_lines(target, ["next"])
    assert await handler.read_lines(target) == [*whole, "next"]


async def test_what_a_stranger_wrote_stays(
    handler: AsyncFileHandler, target: Path, killed_append: Callable[[int], Awaitable[None]]
) -> None:
    """A journal that does not describe the file's end is not acted on."""
    await killed_append(0)
    target.write_text("old\nforeign\n")  # the same inode
    assert await handler.read_lines(target) == ["old", "foreign"]
    await handler.append_lines(target, ["next"])
    assert target.read_text() == "old\nforeign\nnext\n"


async def test_a_draft_is_no_journal(handler: AsyncFileHandler, target: Path) -> None:
    """Nor is an empty side-car, or one that was cut off itself."""
    beside = target.with_name(".lines.txt.fh-draft")
    for left in (
        b"",
        b"old\nx",
        append_journal.header(target.stat(), 100)[:-1],
        append_journal.header(target.stat(), 9) + b"x",
    ):
        beside.write_bytes(left)
        target.write_text("old\nx")
        assert await handler.read_lines(target) == ["old", "x"]
        await handler.append_lines(target, ["y"])
        assert await handler.read_lines(target) == ["old", "x", "y"]


async def test_readers_beside_a_living_append_see_old_or_new(
    handler: AsyncFileHandler, target: Path, gate_at: Callable[..., Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a part of the batch is in the file, it is not in the answer. (F6)"""
    real_write = os.write

    def write_slowly(fd: int, data: bytes) -> int:
        return real_write(fd, data[:3] if os.fstat(fd).st_ino == target.stat().st_ino else data)

    monkeypatch.setattr(os, "write", write_slowly)
    gate = gate_at("write", lambda fd, _: os.fstat(fd).st_size == 7)  # "old\n" and three bytes
    append = asyncio.create_task(handler.append_lines(target, ["first", "second"]))
    await gate.reached()
    assert target.read_text() == "old\nfir"
    assert await handler.read_lines(target) == ["old"]
    gate.open()
    await append
    assert await handler.read_lines(target) == ["old", "first", "second"]


async def test_a_file_that_grows_while_it_is_measured_is_measured_again(
    target: Path, monkeypatch: pytest.MonkeyPatch, settle: Callable[[], Awaitable[None]]
) -> None:
    """The first size may be that of an append that was half done; a stranger's endless growth does not hold us."""
    fd = os.open(target, os.O_RDONLY)
    looks = list[int]()

    def grow(*_: object) -> None:
        looks.append(1)
        if len(looks) < 3:
            with target.open("a") as file:
                file.write("more\n")

    monkeypatch.setattr(append_journal, "_size_before_half_append", grow)
    assert append_journal.settled_size(fd, str(target)) == len("old\nmore\nmore\n")
    assert len(looks) == 3
    os.close(fd)


@pytest.mark.parametrize("same", [True, False])
def test_a_journal_tells_of_one_file_only(target: Path, tmp_path: Path, same: bool) -> None:
    """A stranger may have put another file in its place, which begins as ours would have gone on."""
    side_car = tmp_path / "journal"
    side_car.write_bytes(append_journal.header(target.stat(), 10) + b"first new\n")
    if not same:
        target.rename(tmp_path / "elsewhere")
    with target.open("a") as file:
        file.write("first" if same else "old\nfirst")
    with side_car.open("rb") as beside, target.open("rb") as file:
        journal = append_journal.read(beside.fileno())
        assert journal is not None
        assert append_journal.cut_off(journal, beside.fileno(), file.fileno()) is same
