"""A disk without space: a tiny file system, or a limit for this process."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Of <sys/mount.h>: leave the tree at once, also if somebody still has a file open there.
_MNT_DETACH = 2


@dataclass(frozen=True, slots=True)
class FullDisk:
    """A folder in which there is no more space than was asked for."""

    folder: Path
    errno: int
    """What a write then fails with: ENOSPC; EFBIG if it is the limit of the process that stops it."""

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@contextmanager
def full_disk(folder: Path, free: int) -> Iterator[FullDisk]:
    """Make `folder` a full disk, with `free` bytes left, for the length of the block."""
    pages = -(-free // resource.getpagesize())
    # The least that there is, for a file system of size 0 is one without a limit; it is filled up again.
    if not _mount(folder, (pages + 1) * resource.getpagesize()):
        with _size_limit(free):
            yield FullDisk(folder, errno.EFBIG)
        return
    try:
        (folder / "ballast").write_bytes(b"x")
        (folder / "disk").mkdir()
        yield FullDisk(folder / "disk", errno.ENOSPC)
    finally:
        _libc().umount2(os.fsencode(folder), _MNT_DETACH)


def _mount(folder: Path, size: int) -> bool:
    if sys.platform != "linux":
        return False
    options = f"size={size},mode=700".encode()
    failed: int = _libc().mount(b"tmpfs", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(0), options)
    return not failed


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@contextmanager
def _size_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
