"""The old content or the new, never a mixture: killed, out of space, forbidden; and what the new file looks like."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from file_handler.atomic_write import AtomicWrite, write_all
from file_handler.errors import Abandoned, Moved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Child

    from file_handler import AsyncFileHandler
    from shared_testing import FileBuilders

SIDE_CAR = ".lines.txt.fh-draft"

REWRITE = """
stop_at({stop!r}, {count})
asyncio.run(AsyncFileHandler().write_lines(path, ["new"] * 100_000, durable={durable}))
"""


@pytest.mark.parametrize(
    ("stop", "count", "durable", "content"),
    [
        ("write", 1, True, "old"),
        ("write", 5, True, "old"),
        ("fsync", 1, True, "old"),
        ("replace", 1, False, "old"),
        ("fsync", 2, True, "new"),
    ],
)
def test_a_kill_leaves_the_old_or_the_new(
    names: Callable[[Path], list[str]],
    child: Callable[..., Child],
    target: Path,
    stop: str,
    count: int,
    durable: bool,
    content: str,
) -> None:
    """kill -9 before the first byte, in the middle, before the rename, after it: a whole file each time. (F6b)"""
    writer = child(REWRITE.format(stop=stop, count=count, durable=durable), target)
    assert writer.wait_for_line() == "here"
    writer.kill()
    assert set(target.read_text().split()) == {content}
    assert names(target.parent) == ([SIDE_CAR, "lines.txt"] if content == "old" else ["lines.txt"])


async def test_what_kills_left_is_at_most_one_file_and_the_next_write_removes_it(
    names: Callable[[Path], list[str]], child: Callable[..., Child], target: Path, handler: AsyncFileHandler
) -> None:
    """The side-car has a fixed name, so three crashes leave one. (F6b)"""
    for _ in range(3):
        writer = child(REWRITE.format(stop="replace", count=1, durable=False), target)
        assert (await asyncio.to_thread(writer.wait_for_line)) == "here"
        await asyncio.to_thread(writer.kill)
    assert names(target.parent) == [SIDE_CAR, "lines.txt"]
    await handler.write_lines(target, ["next"])
    assert names(target.parent) == ["lines.txt"]
    assert target.read_text() == "next\n"


MANY = """
async def main():
    handler = AsyncFileHandler()
    for number in range(1_000_000):
        await handler.write_lines(path, [str(number)] * 5_000, durable=False)
        print(number, flush=True)

asyncio.run(main())
"""


def test_a_kill_at_any_moment_tears_nothing(child: Callable[..., Child], target: Path) -> None:
    """Whatever the writer was doing, all lines of the file are of one write. (F6, F6b)"""
    for rounds in (1, 2, 3, 5, 8):
        writer = child(MANY, target)
        for _ in range(rounds):
            writer.wait_for_line()
        writer.kill()
        lines = target.read_text().split("\n")
        assert len(lines) == 5_001
        assert len(set(lines[:-1])) == 1


@pytest.mark.parametrize("call", ["write_lines", "append_lines", "write_stream"])
@pytest.mark.parametrize("free", [4_096, 100_000])
async def test_a_full_disk_leaves_the_old(
    names: Callable[[Path], list[str]], handler: AsyncFileHandler, files: FileBuilders, call: str, free: int
) -> None:
    """The kernel's own refusal in the middle of a write: old content, no side-car, an error with the path. (F5)"""
    with files.full_disk(free) as disk:
        target = disk / "lines.txt"
        target.write_text("old\n")
        with pytest.raises(OSError, match=r".*: '.*lines\.txt'") as caught:
            await getattr(handler, call)(target, ["new"] * 100_000)
        assert caught.value.errno == disk.errno
        assert target.read_text() == "old\n"
        assert names(target.parent) == ["lines.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
async def test_a_disk_that_is_full_late_leaves_the_old(
    names: Callable[[Path], list[str]],
    handler: AsyncFileHandler,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    """No space, where a file system finds it out only after the write, and the folder is clean. (F5)"""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match=r"No space left on device: '.*lines\.txt'"):
            await handler.write_lines(target, ["new"])
    assert target.read_text() == "old\n"
    assert names(target.parent) == ["lines.txt"]
    await handler.write_lines(target, ["new"])
    assert target.read_text() == "new\n"


async def test_a_short_write_is_continued(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The system may take a part only."""
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, data[:3]))
    fd = os.open(tmp_path / "f", os.O_WRONLY | os.O_CREAT)
    write_all(fd, b"0123456789")
    os.close(fd)
    assert (tmp_path / "f").read_bytes() == b"0123456789"


async def test_durable_means_file_then_name_then_folder(
    handler: AsyncFileHandler, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is on the disk before it gets its name, and the name before the call returns."""
    seen = list[str]()
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(fd: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real_fsync(fd)

    def replace(*args: str, **kwargs: int) -> None:
        seen.append("rename")
        real_replace(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    await handler.write_lines(target, ["new"])
    assert seen == ["file", "rename", "folder"]
    seen.clear()
    await handler.write_lines(target, ["new"], durable=False)
    assert seen == ["rename"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o4755])
async def test_the_mode_stays(handler: AsyncFileHandler, target: Path, mode: int) -> None:
    """And the draft is never more open than the file."""
    target.chmod(mode)
    await handler.write_lines(target, ["new"])
    assert stat.S_IMODE(target.stat().st_mode) == mode


async def test_a_new_file_has_the_mode_the_umask_leaves(handler: AsyncFileHandler, tmp_path: Path) -> None:
    """As open() would make it, whatever a crash has left there."""
    (tmp_path / ".new.fh-draft").touch(0o777)
    old = os.umask(0o027)
    try:
        await handler.write_lines(tmp_path / "new", ["x"])
        await handler.append_lines(tmp_path / "log", ["x"])
    finally:
        os.umask(old)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "log")] == [0o640, 0o640]


async def test_the_owner_stays_where_permitted(
    handler: AsyncFileHandler, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be kept, the set-user-id bit goes: it would lend the wrong user's rights."""
    owner = list[tuple[int, int]]()
    real_fstat = os.fstat

    def fstat(fd: int) -> os.stat_result:
        status = real_fstat(fd)
        if status.st_ino != target.stat().st_ino:
            return status
        fields = list(status)
        fields[4:6] = [12345, 12345]
        return os.stat_result(fields)

    def fchown(_fd: int, user: int, group: int) -> None:
        owner.append((user, group))
        raise PermissionError

    target.chmod(0o4755)
    monkeypatch.setattr(os, "fstat", fstat)
    monkeypatch.setattr(os, "fchown", fchown)
    await handler.write_lines(target, ["new"])
    assert owner == [(12345, 12345), (-1, 12345)]
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


async def test_a_link_stays_and_its_target_is_replaced(handler: AsyncFileHandler, target: Path) -> None:
    """Also where the target does not exist yet; the side-car stands beside the target."""
    link, dangling = target.with_name("link"), target.with_name("dangling")
    link.symlink_to("lines.txt")
    dangling.symlink_to("made.txt")
    await handler.write_lines(link, ["new"])
    await handler.append_lines(dangling, ["made"])
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert target.read_text() == "new\n"
    assert target.with_name("made.txt").read_text() == "made\n"


async def test_another_hard_link_keeps_the_old_content(handler: AsyncFileHandler, target: Path) -> None:
    """A rename gives the name to a new file; appending is to the same one."""
    other = target.with_name("other.txt")
    other.hardlink_to(target)
    await handler.append_lines(target, ["both"])
    assert other.read_text() == "old\nboth\n"
    await handler.write_lines(target, ["new"])
    assert other.read_text() == "old\nboth\n"


async def test_a_reader_keeps_what_it_has_opened(handler: AsyncFileHandler, target: Path) -> None:
    """Old to the end, although the new file is in its place. (F6)"""
    old = [f"old {number}" for number in range(100_000)]
    await handler.write_lines(target, old)
    reading = handler.iter_lines(target)
    seen = [await anext(reading)]
    await handler.write_lines(target, ["new"])
    seen += [line async for line in reading]
    assert seen == old
    assert await handler.read_lines(target) == ["new"]


def test_an_abandoned_write_never_commits(names: Callable[[Path], list[str]], target: Path) -> None:
    """Not if it is abandoned in the last moment before the rename."""
    write = AtomicWrite(str(target), None, durable=False)
    write.enter(write.identify())
    write.begin()
    write.write(b"new\n")
    write.abandon()
    with pytest.raises(Abandoned):
        write.commit()
    write.discard()
    write.discard()
    assert target.read_text() == "old\n"
    assert names(target.parent) == ["lines.txt"]


def test_a_path_that_leads_elsewhere_by_now_is_noticed(target: Path) -> None:
    """The lock that was taken is another file's then."""
    link = target.with_name("link")
    link.symlink_to("lines.txt")
    write = AtomicWrite(str(link), None, durable=False)
    key = write.identify()
    link.unlink()
    link.symlink_to("elsewhere.txt")
    with pytest.raises(Moved):
        write.enter(key)
    write.discard()


async def test_extended_attributes_stay(handler: AsyncFileHandler, target: Path) -> None:
    """Access control lists are kept as such."""
    try:
        os.setxattr(target, "user.note", b"kept")
    except OSError:
        pytest.skip("this file system has no user attributes")
    await handler.write_lines(target, ["new"])
    assert os.getxattr(target, "user.note") == b"kept"


async def test_a_read_only_file_is_refused(
    names: Callable[[Path], list[str]], handler: AsyncFileHandler, files: FileBuilders
) -> None:
    """As by open(), though a rename could replace it."""
    target = files.read_only("only/lines.txt", b"old\n")
    for call in (handler.write_lines, handler.append_lines):
        with pytest.raises(PermissionError, match=r"Permission denied: '/.*lines\.txt'"):
            await call(target, ["new"])
    assert names(target.parent) == ["lines.txt"]
    assert target.read_text() == "old\n"
