"""Replace the content of a file at one stroke, or leave it alone.

The new content grows in a draft beside the target and takes its name by a rename when it is complete. Never written
in place: a reader that has opened the old file keeps a whole copy, and a crash, a full disk or a bad line costs the
draft alone. The steps run on worker threads, one at a time; `abandon` may come from any thread at any time.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from file_handler import append_journal, side_car
from file_handler.confinement import Place, locate
from file_handler.errors import Abandoned, Moved, naming
from file_handler.regular_file import open_in

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

# The umask takes away what the user does not want.
_NEW_FILE = 0o666
_PRIVATE = 0o600


class WriteSteps:
    """What replacing and appending share: the place, the side-car, and the moment after which there is no return."""

    def __init__(self, path: str, root: str | None, *, durable: bool) -> None:
        self.path = path
        self._root = root
        self._durable = durable
        self._place: Place | None = None
        self._side_car: int | None = None
        self._decision = threading.Lock()
        self._abandoned = False

    @property
    def spelling(self) -> str:
        """What writers that name the target in the same way have in common, known without asking the disk."""
        return os.path.normpath(self.path)

    def identify(self) -> Hashable:
        """What is the same for each spelling of the path. Keeps nothing open, as what comes next is a wait."""
        with naming(self.path):
            place = locate(self.path, self._root)
            try:
                return place.key
            finally:
                os.close(place.folder)

    def enter(self, key: Hashable) -> None:
        """Open the folder. Raises `Moved` if the target is not the one that `identify` told of."""
        with naming(self.path):
            self._place = locate(self.path, self._root)
            if self._place.key != key:
                raise Moved

    @property
    def place(self) -> Place:
        if self._place is None:
            raise RuntimeError("enter() comes first")
        return self._place

    @property
    def holds_nothing(self) -> bool:
        return self._place is None

    def abandon(self) -> None:
        """Let the target stay as it is, unless the commit has begun. Does not block."""
        with self._decision:
            self._abandoned = True

    def check_wanted(self) -> None:
        if self._abandoned:
            raise Abandoned

    def decide(self) -> None:
        """Called by the worker just before it touches the target: from here on `abandon` comes too late."""
        with self._decision:
            self.check_wanted()

    def claim(self, mode: int) -> int:
        """Make and lock the side-car. Raises `Busy` while another process writes."""
        self.check_wanted()
        place = self.place
        self._side_car = side_car.claim(place, mode, lambda left: append_journal.recover(place, left))
        return self._side_car

    def discard(self) -> None:
        """Remove what is left beside the target and let go of everything. Never raises, may be repeated."""
        place, self._place = self._place, None
        fd, self._side_car = self._side_car, None
        if place is None:
            return
        with suppress(OSError):
            if fd is not None:
                side_car.dismiss(place, fd)
        for descriptor in (fd, place.folder):
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)


class AtomicWrite(WriteSteps):
    """One replacement of one file: `enter`, `begin`, `write` as often as needed, `commit`, `discard`."""

    _old: os.stat_result | None = None

    def begin(self) -> None:
        """Open the draft. Refuses a target that is no file, or that the user may not write."""
        with naming(self.path):
            self._draft = self.claim(_NEW_FILE if self._look_at_target() is None else _PRIVATE)
            # Again, under the lock: another process may have made or replaced it meanwhile.
            self._old = self._look_at_target()
            if self._old is not None:
                os.fchmod(self._draft, _PRIVATE)

    def _look_at_target(self) -> os.stat_result | None:
        try:
            fd = open_in(self.place, os.O_WRONLY)
        except FileNotFoundError:
            return None
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def write(self, data: bytes) -> None:
        self.check_wanted()
        with naming(self.path):
            write_all(self._draft, data)

    def write_each(self, blocks: Iterable[bytes]) -> None:
        for data in blocks:
            self.write(data)

    def commit(self) -> None:
        """Put the draft in the target's place. Durable: the content is on the disk before its name is."""
        with naming(self.path):
            if self._old is not None:
                _dress_like(self._draft, self._old, self.place)
            if self._durable:
                os.fsync(self._draft)
            self.decide()
            folder, name = self.place.folder, self.place.name
            os.replace(side_car.side_car_name(name), name, src_dir_fd=folder, dst_dir_fd=folder)
            if self._durable:
                sync_folder(folder)

    def finish(self) -> None:
        self.commit()
        self.discard()


def write_all(fd: int, data: bytes) -> None:
    """One ``write``, unless the system takes only a part of it."""
    written = os.write(fd, data)
    if written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]


def sync_folder(folder: int) -> None:
    """Make names in `folder` durable, where the file system knows how."""
    try:
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    except PermissionError:  # a folder that we may change but not list
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(fd)


def _dress_like(fd: int, old: os.stat_result, place: Place) -> None:
    """Give the draft the owner (where permitted), the extended attributes (ACLs among them) and the mode of the old."""
    new = os.fstat(fd)
    mode = stat.S_IMODE(old.st_mode)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(fd, old.st_uid, old.st_gid)
        except PermissionError:
            # Ours now: the rights that the old one lent to whoever ran it are not for us to hand on.
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
            with suppress(PermissionError):
                os.fchown(fd, -1, old.st_gid)
    _copy_attributes(fd, place)
    os.fchmod(fd, mode)


def _copy_attributes(fd: int, place: Place) -> None:
    if not hasattr(os, "listxattr"):  # macOS
        return
    with suppress(OSError):
        old = open_in(place, os.O_RDONLY)
        try:
            for name in os.listxattr(old):
                with suppress(OSError):
                    os.setxattr(fd, name, os.getxattr(old, name))
        finally:
            os.close(old)
