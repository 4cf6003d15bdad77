"""Adding to the end: all lines or none, on a line of their own."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from file_handler import AsyncFileHandler, LineError
from file_handler.append import _missing_line_end
from file_handler.lines import LineDecoder, LineEncoder, TextFormat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("old", "lines"),
    [
        (b"", ["new"]),
        (b"a\nb\n", ["a", "b", "new"]),
        (b"a\nb", ["a", "b", "new"]),
        (b"a\r\nb", ["a", "b", "new"]),
        (b"a\r", ["a\r", "new"]),
        (b"\n", ["", "new"]),
        (b"\xef\xbb\xbf", ["new"]),
        (b"\xef\xbb\xbfa", ["a", "new"]),
        ("é".encode(), ["é", "new"]),
    ],
)
async def test_the_old_lines_stay_what_they_were(
    handler: AsyncFileHandler, target: Path, old: bytes, lines: list[str]
) -> None:
    """A last line without its end gets one; nothing merges. (F4)"""
    target.write_bytes(old)
    await handler.append_lines(target, ["new"])
    assert await handler.read_lines(target) == lines
    assert target.read_bytes().endswith(b"new\n")


@given(
    st.binary(max_size=6) | st.sampled_from([b"\xef\xbb\xbf", b"\xef\xbb\xbf\r", b"\r\r"]),
    st.text("a\r\ufeff", max_size=3),
)
def test_appending_to_anything_keeps_it(old: bytes, line: str) -> None:
    """What could be read before can be read after, and the new line behind it."""
    text_format = TextFormat(errors="surrogateescape")
    fd = os.memfd_create("f")
    os.write(fd, old)
    new = _missing_line_end(fd, len(old), text_format) + LineEncoder(text_format, "f", at_start=not old).encode([line])
    os.close(fd)

    def read(data: bytes) -> list[str]:
        decoder = LineDecoder(text_format, "f")
        return [line for lines in decoder.feed(data) for line in lines] + decoder.finish()

    assert read(old + new) == [*read(old), line]


async def test_a_missing_file_is_made(
    names: Callable[[Path], list[str]], handler: AsyncFileHandler, tmp_path: Path
) -> None:
    """Whole or not at all, and for no lines too, as by open(path, "a")."""
    await handler.append_lines(tmp_path / "new", ["\ufeffa"])
    await handler.append_lines(tmp_path / "empty", [])
    assert await handler.read_lines(tmp_path / "new") == ["\ufeffa"]
    assert names(tmp_path) == ["empty", "new"]


async def test_no_lines_change_nothing(handler: AsyncFileHandler, target: Path) -> None:
    """Not even a missing line end."""
    target.write_text("a")
    await handler.append_lines(target, iter(()))
    assert target.read_text() == "a"


@pytest.mark.parametrize("bad", [["a\nb"], ["x", "\ud800"], ["x", 5], "abc"])
async def test_a_bad_line_appends_nothing(
    names: Callable[[Path], list[str]], handler: AsyncFileHandler, target: Path, bad: Any
) -> None:
    """None of the batch. (F5, F11)"""
    with pytest.raises(LineError):
        await handler.append_lines(target, bad)
    assert target.read_text() == "old\n"
    assert names(target.parent) == ["lines.txt"]


async def test_a_batch_is_one_write(handler: AsyncFileHandler, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the target: its repaired line end and all its lines together."""
    target.write_text("a")
    writes = list[bytes]()
    real_write = os.write

    def write(fd: int, data: bytes) -> int:
        if os.fstat(fd).st_ino == target.stat().st_ino:
            writes.append(bytes(data))
        return real_write(fd, data)

    monkeypatch.setattr(os, "write", write)
    await handler.append_lines(target, [str(number) for number in range(1000)])
    assert writes == [b"\n" + b"".join(b"%d\n" % number for number in range(1000))]


@pytest.mark.parametrize("fails_at", ["journal", "target"])
async def test_a_full_disk_takes_nothing_of_a_batch(
    names: Callable[[Path], list[str]],
    handler: AsyncFileHandler,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails_at: str,
) -> None:
    """What did fit is cut off again. (F5)"""
    real_write = os.write

    def write(fd: int, data: bytes) -> int:
        is_target = os.fstat(fd).st_ino == target.stat().st_ino
        if is_target == (fails_at == "target"):
            if len(data) < 4:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real_write(fd, data[:3])
        return real_write(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space left"):
            await handler.append_lines(target, ["12345678"])
    assert target.read_text() == "old\n"
    assert names(target.parent) == ["lines.txt"]


@pytest.mark.parametrize(
    ("default", "durable", "syncs"), [(True, None, 1), (True, False, 0), (False, None, 0), (False, True, 1)]
)
async def test_durable_appends_reach_the_disk(
    target: Path, monkeypatch: pytest.MonkeyPatch, default: bool, durable: bool | None, syncs: int
) -> None:
    """One fsync for each batch, or none if the caller or the handler says so."""
    calls = list[int]()
    monkeypatch.setattr(os, "fsync", calls.append)
    async with AsyncFileHandler(durable=default) as handler:
        await handler.append_lines(target, ["x"], durable=durable)
    assert len(calls) == syncs


async def test_a_failed_fsync_takes_the_batch_back(
    handler: AsyncFileHandler, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller will try again, and must not find it doubled."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            await handler.append_lines(target, ["x"])
    assert target.read_text() == "old\n"


async def test_many_lines_are_appended_whole(handler: AsyncFileHandler, target: Path) -> None:
    """More than are encoded in one go."""
    many = [str(number) for number in range(20_000)]
    await handler.append_lines(target, many)
    assert await handler.read_lines(target) == ["old", *many]
