"""Files with any content, and files with which something is really wrong.

The operating system itself refuses: a patched ``open`` would prove nothing about code that calls ``os.open``, or a
thread that is still inside. What cannot be had on a machine is refused by name, and never imitated.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from shared_testing.builders import privileges
from shared_testing.builders.full_disk import FullDisk, full_disk
from shared_testing.builders.line_store import LinesInMemory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

_BAD_UTF8 = b"\xff\xfe caf\xe9"


class FileBuilders:
    """The fixture ``files``. All that it makes lies in `folder`, and is gone at the end, whatever its modes are.

    Without pytest: ``with FileBuilders() as files``.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="files-"))
        self._undo = ExitStack()
        self._fifos: list[Path] = []

    def __repr__(self) -> str:
        return f"<files in {self.folder}: {', '.join(sorted(each.name for each in self.folder.iterdir())) or 'none'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take everything away."""
        self._undo.close()
        for fifo in self._fifos:
            _release(fifo)
        for folder, _, _ in os.walk(self.folder):
            Path(folder).chmod(stat.S_IRWXU)
        shutil.rmtree(self.folder)

    # ------------------------------------------------------------ contents

    def raw(self, name: str, content: bytes = b"") -> Path:
        """A file with exactly these bytes; folders in its name are made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def text(self, name: str, content: str = "", encoding: str = "utf-8") -> Path:
        """A file with this text. Line endings are left as they are; ``utf-8-sig`` puts a mark before it."""
        return self.raw(name, content.encode(encoding))

    def lines(self, name: str, lines: Iterable[str] = (), ending: str = "\n", encoding: str = "utf-8") -> Path:
        """A file with these lines, each with its ending."""
        return self.text(name, "".join(f"{line}{ending}" for line in lines), encoding)

    def in_memory(self) -> LinesInMemory:
        """What reads and writes lines as a handler of files does, for code that is given one; it touches no disk."""
        return LinesInMemory()

    # ------------------------------------------------------------ what is wrong with them

    def bad_utf8(self, name: str, good_lines: int = 0) -> Path:
        """After some good lines one that is no UTF-8: reading it as such raises UnicodeDecodeError."""
        return self.raw(name, b"good\n" * good_lines + _BAD_UTF8 + b"\n")

    def missing(self, name: str = "missing.txt") -> Path:
        """A path at which nothing is; the folders before the last name do not exist either (ENOENT)."""
        return self.folder / name

    def directory(self, name: str = "directory") -> Path:
        """A folder where a file is expected (EISDIR)."""
        path = self.folder / name
        path.mkdir(parents=True)
        return path

    def symlink_loop(self, name: str = "loop") -> Path:
        """A link to a link to itself (ELOOP)."""
        path, other = self.folder / name, self.folder / f"{name}.other"
        path.symlink_to(other)
        other.symlink_to(path)
        return path

    def long_name(self) -> Path:
        """A name that is one byte longer than the file system takes (ENAMETOOLONG)."""
        return self.folder / ("n" * (os.pathconf(self.folder, "PC_NAME_MAX") + 1))

    def fifo(self, name: str = "fifo") -> Path:
        """A pipe: to open it waits for the other end, for ever. Threads that wait so are let go at the end."""
        path = self.folder / name
        os.mkfifo(path)
        self._fifos.append(path)
        return path

    def full_device(self) -> Path:
        """``/dev/full``: each write fails for want of space (ENOSPC). For code that refuses devices: :meth:`full_disk`.

        Raises NotPossibleHere where there is none.
        """
        path = Path("/dev/full")
        if not path.is_char_device():
            raise privileges.NotPossibleHere("full_device() needs /dev/full, which Linux and FreeBSD have")
        return path

    # ------------------------------------------------------------ permissions, for root too

    def unreadable(self, name: str, content: bytes = b"") -> Path:
        """A file that this process may neither read nor write (EACCES)."""
        return self._forbidden(self.raw(name, content), 0, os.R_OK)

    def read_only(self, name: str, content: bytes = b"") -> Path:
        """A file that this process may read, and not write (EACCES)."""
        return self._forbidden(self.raw(name, content), stat.S_IRUSR, os.W_OK)

    def read_only_folder(self, name: str = "read-only") -> Path:
        """A folder in which nothing can be made, renamed or removed (EACCES); put files there before, by name."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return self._forbidden(path, stat.S_IRUSR | stat.S_IXUSR, os.W_OK)

    def _forbidden(self, path: Path, mode: int, wanted: int) -> Path:
        """Root may do all, whatever the mode says: it gives up that right, until the end."""
        path.chmod(mode)
        if os.access(path, wanted, effective_ids=True):
            self._undo.enter_context(privileges.modes_apply())
            if os.access(path, wanted, effective_ids=True):
                raise privileges.NotPossibleHere(f"{path} stays accessible to this process, whatever its mode says")
        return path

    # ------------------------------------------------------------ no space

    @contextmanager
    def full_disk(self, free: int = 0) -> Iterator[FullDisk]:
        """``with files.full_disk(free=8192) as disk``: a folder in which that many bytes more can be written.

        A tiny file system of its own where this process may mount one (then `free` is rounded up to whole pages).
        Else a limit on the size of each file that this process writes, wherever it is, which fails with EFBIG in the
        place of ENOSPC: `disk.errno` says which of them it is.
        """
        mount_point = Path(tempfile.mkdtemp(prefix="disk-", dir=self.folder))
        with full_disk(mount_point, free) as disk:
            yield disk


def _release(fifo: Path) -> None:
    """Be the other end for a moment: whoever waits in open() comes back, and nobody comes to wait any more."""
    with suppress(FileNotFoundError):  # The test has removed it.
        both_ends = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        fifo.unlink()
        os.close(both_ends)
