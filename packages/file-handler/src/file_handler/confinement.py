"""Find the folder and the name that a path means, and keep a confined handler inside its root.

The folder is held open and everything is done relative to it, so that neither a change of the working directory nor
a folder renamed meanwhile moves the work elsewhere. Confined, each folder on the way is opened without following
links after the path's own links have been resolved: a link put in after the check is refused, not followed.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import PurePath

from file_handler.errors import OutsideRoot, no_such_folder

# O_PATH (Linux): a folder that may be passed through but not listed is good enough.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """A name in an open folder. Whoever got it closes `folder`."""

    folder: int
    name: str
    path: str

    @property
    def key(self) -> tuple[int, int, str]:
        """The same for all spellings of the path."""
        status = os.fstat(self.folder)
        return status.st_dev, status.st_ino, self.name


def spelled(path: str | os.PathLike[str], root: str | None) -> str:
    """The path as an absolute one, without asking the disk. Raises if it is no path at all."""
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(
            f"{path!r}: a path is str or os.PathLike[str], not {type(text).__name__}; use os.fsdecode(path)"
        )
    if not text:
        raise FileNotFoundError(errno.ENOENT, "An empty path names no file; pass the file's name", text)
    if "\0" in text:
        raise ValueError(f"{text!r}: a path cannot hold a NUL character")
    # Joined, not normalised: "link/../x" means the parent of the link's target.
    return os.path.join(root if root is not None else os.getcwd(), text)  # noqa: PTH109, PTH118 - pathlib drops "./" and "//"


def locate(path: str, root: str | None) -> Place:
    """Resolve links and open the folder. `path` is absolute, as `spelled` returns it.

    A link at the end of the path is followed, even if its target does not exist yet.
    Raises `OutsideRoot`, `FileNotFoundError` naming the folder, `IsADirectoryError`.
    """
    real = os.path.realpath(path)
    folder, name = os.path.split(real)
    if root is not None:
        _refuse_outside(path, real, root)
    if not name or path.endswith(("/", "/.", "/..")):
        raise IsADirectoryError(errno.EISDIR, "This is a folder; name a file in it", path)
    try:
        opened = os.open(folder, _FOLDER) if root is None else _walk(path, folder, root)
    except FileNotFoundError:
        raise no_such_folder(path, folder) from None
    return Place(opened, name, path)


def _refuse_outside(path: str, real: str, root: str) -> None:
    real_root = os.path.realpath(root)
    if real == real_root:
        raise IsADirectoryError(errno.EISDIR, "This is the root folder itself; name a file in it", path)
    if os.path.commonpath([real, real_root]) != real_root:
        raise OutsideRoot(errno.EACCES, f"This leads out of the root {root!r}; name a file inside it", path)


def _walk(path: str, folder: str, root: str) -> int:
    """Open `folder`, going down from `root` one real folder at a time."""
    real_root = os.path.realpath(root)
    here = os.open(real_root, _FOLDER)
    for part in PurePath(os.path.relpath(folder, real_root)).parts or (".",):
        try:
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
        except NotADirectoryError:
            if is_link(part, here):
                raise swapped(path, root) from None
            raise
        finally:
            os.close(here)
        here = below
    return here


def is_link(name: str, folder: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def swapped(path: str, root: str) -> OutsideRoot:
    return OutsideRoot(
        errno.EACCES, f"A link was put in this path while it was being opened below the root {root!r}; try again", path
    )
