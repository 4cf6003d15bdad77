"""The file builders: each fault is the operating system's own."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared_testing.builders.files import FileBuilders

if TYPE_CHECKING:
    from collections.abc import Callable


def refused(path: Path, flags: int = os.O_RDONLY) -> str:
    """The name of the error with which the system refuses to open it."""
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        os.close(os.open(path, flags, 0o600))
    return errno.errorcode[caught.value.errno or 0]


def test_contents_are_written_as_given(files: FileBuilders) -> None:
    """Bytes, text in any encoding, lines with any ending; folders are made."""
    assert files.raw("a.bin", b"\x00\r\n").read_bytes() == b"\x00\r\n"
    assert files.text("b.txt", "é\r\n", "utf-16-le").read_bytes() == "é\r\n".encode("utf-16-le")
    assert files.text("bom.txt", "a", "utf-8-sig").read_bytes() == b"\xef\xbb\xbfa"
    assert files.lines("deep/er/c.txt", ["a", "b"], ending="\r\n").read_bytes() == b"a\r\nb\r\n"
    assert repr(files) == f"<files in {files.folder}: a.bin, b.txt, bom.txt, deep>"


def test_bad_utf8_comes_after_good_lines(files: FileBuilders) -> None:
    """So that a reader has begun when it fails."""
    with files.bad_utf8("x.txt", good_lines=2).open(encoding="utf-8") as file, pytest.raises(UnicodeDecodeError):
        file.read()
    assert files.bad_utf8("y.txt", good_lines=2).read_bytes().startswith(b"good\ngood\n\xff")


@pytest.mark.parametrize(
    ("make", "flags", "error"),
    [
        (FileBuilders.missing, os.O_RDONLY, "ENOENT"),
        (lambda files: files.missing("no/folder/x"), os.O_WRONLY | os.O_CREAT, "ENOENT"),
        (FileBuilders.directory, os.O_WRONLY, "EISDIR"),
        (FileBuilders.symlink_loop, os.O_RDONLY, "ELOOP"),
        (FileBuilders.long_name, os.O_WRONLY | os.O_CREAT, "ENAMETOOLONG"),
        (lambda files: files.unreadable("x"), os.O_RDONLY, "EACCES"),
        (lambda files: files.read_only("x"), os.O_WRONLY, "EACCES"),
        (lambda files: files.read_only_folder() / "x", os.O_WRONLY | os.O_CREAT, "EACCES"),
    ],
)
def test_the_system_refuses(files: FileBuilders, make: Callable[[FileBuilders], Path], flags: int, error: str) -> None:
    """With the error that the name says, and for root too."""
    assert refused(make(files), flags) == error


def test_a_read_only_file_can_be_read(files: FileBuilders) -> None:
    """Only that."""
    assert files.read_only("x", b"content").read_bytes() == b"content"


def test_threads_that_start_later_obey_too(files: FileBuilders) -> None:
    """Code that leaves files to a thread meets the same refusal."""
    path, errors = files.unreadable("x"), list[str]()
    thread = threading.Thread(target=lambda: errors.append(refused(path)))
    thread.start()
    thread.join()
    assert errors == ["EACCES"]


def test_root_is_root_again_at_the_end() -> None:
    """The next test has all its rights, and nothing is left on the disk."""
    before = _capabilities()
    with FileBuilders() as files:
        files.unreadable("x")
        files.read_only_folder("a/b")
    assert _capabilities() == before
    assert not files.folder.exists()


def _capabilities() -> str:
    status = Path("/proc/self/status")
    return (
        next(line for line in status.read_text().splitlines() if line.startswith("CapEff")) if status.exists() else ""
    )


async def test_a_fifo_is_opened_for_ever_and_let_go_at_the_end() -> None:
    """The thread that waits in open() would outlive the test."""
    loop = asyncio.get_running_loop()
    with FileBuilders() as files:
        fifo = files.fifo()
        entered = threading.Event()

        def read() -> bytes:
            entered.set()
            return fifo.read_bytes()

        reading = loop.run_in_executor(None, read)
        await asyncio.to_thread(entered.wait)
        assert not reading.done()
    # A thread that comes too late finds no file; none is left waiting.
    [outcome] = await asyncio.gather(reading, return_exceptions=True)
    assert outcome == b"" or isinstance(outcome, FileNotFoundError)


def test_a_full_device(files: FileBuilders) -> None:
    """The kernel's own."""
    with files.full_device().open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.write(b"x")


@pytest.mark.parametrize("may_mount", [True, False])
@pytest.mark.parametrize("free", [0, 8192])
def test_a_full_disk_takes_what_is_free(
    files: FileBuilders, monkeypatch: pytest.MonkeyPatch, may_mount: bool, free: int
) -> None:
    """And not a byte more; on a file system of its own, or by a limit. Afterwards there is space again."""
    if not may_mount:
        monkeypatch.setattr("shared_testing.builders.full_disk._mount", lambda *_: False)
    with files.full_disk(free=free) as disk:
        fd = os.open(disk / "x", os.O_WRONLY | os.O_CREAT)
        try:
            assert os.write(fd, b"x" * free) == free
            with pytest.raises(OSError, match=r"\[Errno") as caught:
                os.write(fd, b"x")
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)
        assert caught.value.errno == disk.errno
        assert disk.errno in ((errno.ENOSPC, errno.EFBIG) if may_mount else (errno.EFBIG,))
    files.raw("after", b"x" * 10_000)
