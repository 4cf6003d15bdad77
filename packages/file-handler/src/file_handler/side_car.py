"""The one file that may stand beside a target while it is being written.

Its name is fixed, so that crashes leave at most one, which the next write removes. It is the draft of a new content or
the journal of an append, and, being locked (``flock``), the sign that a writer of another process is at work.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from file_handler.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Callable

    from file_handler.confinement import Place

_SUFFIX = ".fh-draft"
_LONGEST_NAME = 255  # bytes, of every common file system
_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def side_car_name(name: str) -> str:
    """``.users.txt.fh-draft`` for ``users.txt``."""
    plain = f".{name}{_SUFFIX}"
    if len(os.fsencode(plain)) <= _LONGEST_NAME:
        return plain
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()}{_SUFFIX}"


def claim(place: Place, mode: int, recover: Callable[[int], None]) -> int:
    """Make the side-car of `place` and lock it; return its descriptor.

    `mode` is that of a new file, less the umask. One that a crash has left is given to `recover`, then removed.
    Raises `Busy` at once when a living writer holds it.
    """
    name = side_car_name(place.name)
    while True:
        try:
            fd = os.open(name, _OPEN | os.O_CREAT | os.O_EXCL, mode, dir_fd=place.folder)
        except FileExistsError:
            _remove_abandoned(place, name, recover)
            continue
        try:
            _lock(fd)
            # Between its creation and our lock somebody may have taken it for an abandoned one.
            if is_named(fd, name, place.folder):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _remove_abandoned(place: Place, name: str, recover: Callable[[int], None]) -> None:
    try:
        fd = os.open(name, _OPEN, dir_fd=place.folder)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            why = f"{name!r} beside the file stands in the way ({error.strerror}); remove it"
            raise OSError(error.errno, why) from None
        os.unlink(name, dir_fd=place.folder)  # a planted link: never follow it
        return
    try:
        _lock(fd)
        if is_named(fd, name, place.folder):
            recover(fd)
            os.unlink(name, dir_fd=place.folder)
    finally:
        os.close(fd)


def _lock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy from None
    except OSError as error:
        # A file system without locks: the writers of this process still take turns.
        if error.errno not in {errno.ENOTSUP, errno.ENOSYS}:
            raise


def is_named(fd: int, name: str, folder: int) -> bool:
    """Whether `name` is still the file that is open as `fd`: a rename or removal may have come first."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=folder, follow_symlinks=False))
    return False


def dismiss(place: Place, fd: int) -> None:
    """Remove our side-car, if it is still one. The lock ends with the descriptor."""
    name = side_car_name(place.name)
    if is_named(fd, name, place.folder):
        os.unlink(name, dir_fd=place.folder)
