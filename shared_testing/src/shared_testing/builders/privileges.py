"""Let root obey the modes of files for a while, as everybody else does.

Many a test runs as root, in a container, where a file without any permission can still be read and written. Linux
splits that power in capabilities, and a thread can put away those that pass over modes without any other change: it
keeps its user and its files.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of <linux/capability.h>.
_PASS_OVER_MODES = 1 << 1 | 1 << 2
_VERSION_3 = 0x20080522


class NotPossibleHere(RuntimeError):
    """This machine, or this process's rights, cannot give the fault that was asked for."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def modes_apply() -> Iterator[None]:
    """Within the block the modes of files hold for this thread, and for the threads that it starts.

    A thread that runs already keeps its rights: Linux has no way to take them from outside.

    Raises NotPossibleHere on other systems.
    """
    if sys.platform != "linux":
        raise NotPossibleHere("the superuser obeys the modes of files on Linux only: run the tests as a user")
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    _checked(libc.capget(ctypes.byref(header), data))
    before = data[0].effective
    data[0].effective = before & ~_PASS_OVER_MODES
    _checked(libc.capset(ctypes.byref(header), data))
    try:
        yield
    finally:
        # Only what was put away: somebody may have changed the rest meanwhile.
        _checked(libc.capget(ctypes.byref(header), data))
        data[0].effective |= before & _PASS_OVER_MODES
        _checked(libc.capset(ctypes.byref(header), data))


def _checked(result: int) -> None:
    if result:
        error = ctypes.get_errno()
        raise NotPossibleHere(f"this process may not change its capabilities ({os.strerror(error)})")
