"""One export per file: a second start on the same file is refused instead of mixed in."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class AlreadyRunning(Exception):
    """Another process is exporting to the same file."""


@contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """Hold the export lock of `out`, a hidden file beside it that is removed at the end.

    The kernel drops the lock when the process dies, however it dies, so no stale lock can block a
    resumption. Raises AlreadyRunning at once when another process holds it.
    """
    path = out.with_name(f".{out.name}.export-lock")
    lock = _acquire(path, out)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)


def _acquire(path: Path, out: Path) -> int:
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed the file between our open and our lock: then we hold nothing.
            if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        except BlockingIOError:
            os.close(lock)
            raise AlreadyRunning(
                f"another export is writing {out}; wait for it to end, or give this one another --out"
            ) from None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
