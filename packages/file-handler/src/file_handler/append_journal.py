"""Let an append that was cut off be recognised, so that it never counts.

An append writes into the target itself (copying it for each batch would cost the square of its size), and a kill in
the middle leaves a part of the batch. So the side-car first gets a journal: which file, how long it was, and the whole
batch. While it stands there, readers see the file as long as it was, unless all of the batch is there; the next writer
cuts the part off.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from file_handler.side_car import side_car_name

if TYPE_CHECKING:
    from file_handler.confinement import Place

# A draft would have to begin with this line, and name its target's inode and length, to be taken for a journal.
_MAGIC = b"\0fh-append-journal-1"
_HEADER = 200
_BLOCK = 1 << 20
# A stranger may append without end, faster than we can look.
_LOOKS = 100


@dataclass(frozen=True, slots=True)
class Journal:
    """An append of `batch` bytes to file `inode` when it was `size` bytes long; `start` is where the batch begins."""

    inode: int
    size: int
    batch: int
    start: int


def header(status: os.stat_result, batch: int) -> bytes:
    return b"%b %d %d %d\n" % (_MAGIC, status.st_ino, status.st_size, batch)


def read(fd: int) -> Journal | None:
    """The journal in the side-car open as `fd`; None if it is a draft or not complete (its append had not begun)."""
    first, newline, _ = os.pread(fd, _HEADER, 0).partition(b"\n")
    fields = first.split(b" ")
    if not newline or len(fields) != 4 or fields[0] != _MAGIC or not all(field.isdigit() for field in fields[1:]):
        return None
    inode, size, batch = map(int, fields[1:])
    begin = len(first) + 1
    return Journal(inode, size, batch, begin) if os.fstat(fd).st_size >= begin + batch else None


def cut_off(journal: Journal, fd: int, target: int) -> bool:
    """Whether the file open as `target` ends in a part of the batch, and so in an append that must not count."""
    status = os.fstat(target)
    part = status.st_size - journal.size
    if journal.inode != status.st_ino or not 0 < part < journal.batch:
        return False
    # What a stranger wrote is no part of our batch and must stay.
    return all(
        os.pread(fd, min(_BLOCK, part - at), journal.start + at)
        == os.pread(target, min(_BLOCK, part - at), journal.size + at)
        for at in range(0, part, _BLOCK)
    )


def recover(place: Place, fd: int) -> None:
    """Undo the append that the journal open as `fd` tells of, if it was cut off."""
    journal = read(fd)
    if journal is None:
        return
    with suppress(FileNotFoundError):
        target = os.open(place.name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place.folder)
        try:
            if cut_off(journal, fd, target):
                os.ftruncate(target, journal.size)
        finally:
            os.close(target)


def settled_size(target: int, path: str) -> int:
    """How long the file open as `target` (by `path`) was at one moment at which no append to it was half done."""
    folder, name = os.path.split(os.path.realpath(path))
    beside = os.path.join(folder, side_car_name(name))  # noqa: PTH118 - asked at every read: as fast as it gets
    size = os.fstat(target).st_size
    for _ in range(_LOOKS):
        cut = _size_before_half_append(target, beside)
        if cut is not None:
            return cut
        # No append was half done just now. If the size is still the same, none was when it was taken.
        before, size = size, os.fstat(target).st_size
        if size <= before:
            break
    return size


def _size_before_half_append(target: int, beside: str) -> int | None:
    try:
        fd = os.open(beside, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        journal = read(fd)
        return journal.size if journal is not None and cut_off(journal, fd, target) else None
    finally:
        os.close(fd)
