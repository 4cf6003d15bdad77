"""Open files, and nothing that merely looks like one.

Opening a FIFO that nobody writes to blocks for ever, and the thread with it; a device may answer without end.
"""

from __future__ import annotations

import errno
import os
import stat

from file_handler.confinement import Place, is_link, locate, swapped
from file_handler.errors import SpecialFile, naming

_FLAGS = os.O_CLOEXEC | os.O_NOCTTY
_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def refuse_special(status: os.stat_result, path: str) -> None:
    """Raise unless `status` is that of an ordinary file (or of a link: opening decides about those)."""
    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "This is a folder; name a file in it", path)
    kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "no file")
    raise SpecialFile(
        errno.EINVAL,
        f"This is {kind}, which may block for ever; name a file, or read it with AsyncFileHandler(allow_special=True)",
        path,
    )


def open_for_reading(path: str, root: str | None, *, allow_special: bool) -> int:
    """A descriptor of the file at `path`, which must lie below `root` if there is one.

    With `allow_special`, opening a FIFO blocks until somebody writes to it.
    """
    with naming(path):
        if root is None:
            return _open_checked(path, None, _FLAGS | os.O_RDONLY, allow_special=allow_special)
        place = locate(path, root)
        try:
            flags = _FLAGS | os.O_RDONLY | os.O_NOFOLLOW
            return _open_checked(place.name, place.folder, flags, allow_special=allow_special)
        except OSError as error:
            if error.errno == errno.ELOOP and is_link(place.name, place.folder):
                raise swapped(path, root) from None
            raise
        finally:
            os.close(place.folder)


def open_in(place: Place, flags: int) -> int:
    """A descriptor of the ordinary file at `place`, not following a link that was put there meanwhile."""
    return _open_checked(place.name, place.folder, _FLAGS | flags | os.O_NOFOLLOW, allow_special=False)


def _open_checked(name: str, folder: int | None, flags: int, *, allow_special: bool) -> int:
    if allow_special:
        return os.open(name, flags, dir_fd=folder)
    # Asked before opening, as opening a device can have effects; and again afterwards, as it may have been replaced.
    refuse_special(os.stat(name, dir_fd=folder, follow_symlinks=not flags & os.O_NOFOLLOW), name)
    fd = os.open(name, flags | os.O_NONBLOCK, dir_fd=folder)
    try:
        refuse_special(os.fstat(fd), name)
        os.set_blocking(fd, True)
    except BaseException:
        os.close(fd)
        raise
    return fd
