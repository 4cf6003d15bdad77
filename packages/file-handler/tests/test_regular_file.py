"""Files are opened; FIFOs, devices, sockets and folders only on purpose or not at all."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from file_handler import AsyncFileHandler, SpecialFile
from file_handler.regular_file import open_for_reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Child

    from shared_testing import FileBuilders


@pytest.fixture
def fifo(files: FileBuilders) -> Path:
    return files.fifo()


async def test_a_fifo_is_refused_by_all(handler: AsyncFileHandler, fifo: Path) -> None:
    """Nobody writes to it, so opening it would block for ever. (F13)"""
    for call in (handler.read_lines(fifo), handler.write_lines(fifo, ["x"]), handler.append_lines(fifo, ["x"])):
        with pytest.raises(SpecialFile, match=r"This is a FIFO.*allow_special=True.*fifo'"):
            await call
    assert stat.S_ISFIFO(fifo.stat().st_mode)


async def test_a_device_and_a_socket_are_refused(
    handler: AsyncFileHandler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/zero has no end; and no write may put a file in a device's place."""
    with pytest.raises(SpecialFile, match="a device"):
        await handler.read_lines("/dev/zero")
    with pytest.raises(SpecialFile, match="a device"):
        await handler.write_lines("/dev/null", ["x"])
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(SpecialFile, match="a socket"):
            await handler.read_lines(tmp_path / "socket")


async def test_a_folder_is_refused(handler: AsyncFileHandler, tmp_path: Path) -> None:
    """With the built-in error for it."""
    for call in (
        handler.read_lines(tmp_path),
        handler.write_lines(tmp_path, ["x"]),
        handler.append_lines(tmp_path, []),
    ):
        with pytest.raises(IsADirectoryError, match="name a file in it"):
            await call


async def test_a_fifo_is_read_on_purpose(fifo: Path) -> None:
    """allow_special=True waits for the writer and reads to its end."""
    async with AsyncFileHandler(allow_special=True) as handler:
        reading = asyncio.create_task(handler.read_lines(fifo))

        def write() -> None:
            fifo.write_text("a\nb\r\nc")

        await asyncio.to_thread(write)
        assert await reading == ["a", "b", "c"]


async def test_a_device_is_read_on_purpose() -> None:
    """An endless one line by line."""
    async with AsyncFileHandler(allow_special=True) as handler:
        assert await handler.read_lines("/dev/null") == []


def test_the_descriptor_blocks_again(target: Path) -> None:
    """O_NONBLOCK was for the opening only."""
    fd = open_for_reading(str(target), None, allow_special=False)
    assert os.get_blocking(fd)
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_file_that_became_a_fifo_is_still_refused(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was opened is looked at again: between the check and the opening the name may change hands."""
    real_stat, swapped = os.stat, list[bool]()

    def stat_then_swap(name: str, **kwargs: object) -> os.stat_result:
        status = real_stat(name, **kwargs)  # type: ignore[arg-type]
        if name == str(target) and not swapped:
            swapped.append(True)
            target.unlink()
            os.mkfifo(target)
        return status

    monkeypatch.setattr(os, "stat", stat_then_swap)
    with pytest.raises(SpecialFile):
        open_for_reading(str(target), None, allow_special=False)


async def test_errors_name_the_path_and_keep_their_class(handler: AsyncFileHandler, tmp_path: Path) -> None:
    """FileNotFoundError and NotADirectoryError are caught as with open()."""
    with pytest.raises(FileNotFoundError, match=r"missing\.txt"):
        await handler.read_lines(tmp_path / "missing.txt")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file/x"):
        await handler.read_lines(tmp_path / "file" / "x")
    with pytest.raises(NotADirectoryError, match="file/x"):
        await handler.write_lines(tmp_path / "file" / "x", [])


async def test_what_cannot_be_opened_is_told_with_its_path(handler: AsyncFileHandler, files: FileBuilders) -> None:
    """A loop of links, a name that is too long, a file and a folder that are forbidden: the system's own errors."""
    for path, name, error in (
        (files.symlink_loop(), "ELOOP", OSError),
        (files.long_name(), "ENAMETOOLONG", OSError),
        (files.unreadable("secret.txt"), "EACCES", PermissionError),
        (files.read_only_folder() / "new.txt", "EACCES", PermissionError),
    ):
        # Nothing is there to be read in the folder.
        calls = (handler.write_lines(path, ["x"]), *([] if path.name == "new.txt" else [handler.read_lines(path)]))
        for call in calls:
            with pytest.raises(error, match=re.escape(path.name)) as caught:
                await call
            assert caught.value.errno == getattr(errno, name)


STUCK = """
async def main():
    handler = AsyncFileHandler(allow_special=True)
    stuck = [asyncio.create_task(handler.read_lines(path)) for _ in range(6)]
    print(len(await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)) > 0)
    try:
        await asyncio.wait_for(handler.read_lines(path), 0.01)
    except TimeoutError:
        print("timed out")

asyncio.run(main())
"""


def test_stuck_reads_starve_nobody_and_keep_nobody_alive(child: Callable[..., Child], fifo: Path) -> None:
    """DNS look-ups go on beside six stuck reads, a timeout is on time, and the process ends. (F13, F16)"""
    assert child(STUCK, fifo).finish().split("\n") == ["True", "timed out", ""]
