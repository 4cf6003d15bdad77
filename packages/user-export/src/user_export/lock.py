"""One export per file: a second start on the same file is refused instead of mixed in."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another process is exporting to the same file."""


@contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """Hold the lock of `out`, a hidden file beside it; AlreadyRunning at once when somebody else does.

    The kernel drops the lock when its process dies, however it dies, so a killed export blocks no later one.
    """
    path = out.with_name(f".{out.name}.export-lock")
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed the file since we opened it: then this lock excludes nobody.
            alone = path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino
        except BlockingIOError:
            alone = False
        if not alone:
            raise AlreadyRunning(f"another export is writing {out}; let it end, or choose another --out")
        try:
            yield
        finally:
            path.unlink()
