"""Notice the blocking calls that Python tells its audit hooks: files, names, connections, commands.

However the function came to be called, and without putting anything in its place.
"""

from __future__ import annotations

import os
import sys
from asyncio import _get_running_loop
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.evidence.harmless import crashed
from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Wait(NamedTuple):
    """One call that waited, or is about to."""

    frame: FrameType
    """The innermost Python frame, the one that made the call."""
    raw: str
    """What it called: ``time.sleep``."""
    arguments: str = ""
    seconds: float | None = None
    """How long it took; None when it is noted before it has begun."""
    timed_out: bool = False
    """It waited for as long as it was allowed to, in vain."""
    local: bool = False
    """It is over soon, as a rule: somebody on this machine is spoken to."""
    file: bool = False
    """So is this: a file or a database is opened."""


_listener: Callable[[Wait], object] | None = None
_hooked = False


def listen(note: Callable[[Wait], object] | None) -> None:
    """An audit hook cannot be removed: without a listener ours does nothing."""
    global _listener, _hooked
    _listener = note
    if note is not None and not _hooked:
        _hooked = True
        sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in _EVENTS and _listener is not None and _get_running_loop() is not None:
        # Spelled out, as the reader of the event counts the frames.
        try:
            wait = _EVENTS[event](event, args)
        except Exception as error:  # noqa: BLE001 - what is called goes on
            crashed(_EVENTS[event], error)
            return
        if wait is not None:
            _listener(wait)


def _frame() -> FrameType:
    # Below this function, the reader of the event and the hook.
    return sys._getframe(3)


def _file(_: str, args: tuple[Any, ...]) -> Wait | None:
    path = os.fsdecode(args[0]) if isinstance(args[0], (str, bytes)) else ""
    flags = args[2] if len(args) > 2 and isinstance(args[2], int) else 0
    if not path or path.startswith(_NO_FILES) or flags & getattr(os, "O_DIRECTORY", 0):
        return None
    # A library that reads what came with it does so once.
    return Wait(_frame(), "open", file=True) if is_users(path) else None


def _database(event: str, _: tuple[Any, ...]) -> Wait | None:
    return Wait(_frame(), event, file=True)


def _connect(_: str, args: tuple[Any, ...]) -> Wait | None:
    if args[0].gettimeout() == 0:
        return None
    host = args[1][0] if isinstance(args[1], tuple) else ""
    return Wait(_frame(), "socket.connect", local=_is_here(host))


def _lookup(event: str, args: tuple[Any, ...]) -> Wait | None:
    return None if not args[0] or _is_address(args[0]) else Wait(_frame(), event, local=_is_here(args[0]))


def _command(_: str, __: tuple[Any, ...]) -> Wait | None:
    return Wait(_frame(), "os.system")


def _popen(_: str, __: tuple[Any, ...]) -> Wait | None:
    # Popen() itself returns at once; who calls os.popen() goes on to read from it.
    frame = sys._getframe(2)
    while (module := frame.f_globals.get("__name__") or "").startswith(_POPEN) and frame.f_back is not None:
        frame = frame.f_back
    return Wait(frame, "os.popen") if module == "os" else None


# What may stand between os.popen() and the event: our own wrappers too.
_POPEN = ("subprocess", "shared_testing.")


def _input(_: str, __: tuple[Any, ...]) -> Wait | None:
    return Wait(_frame(), "input")


_EVENTS: dict[str, Callable[[str, tuple[Any, ...]], Wait | None]] = {
    "open": _file,
    "sqlite3.connect": _database,
    "socket.connect": _connect,
    "socket.getaddrinfo": _lookup,
    "socket.gethostbyname": _lookup,
    "socket.gethostbyaddr": _lookup,
    "os.system": _command,
    "subprocess.Popen": _popen,
    "builtins.input": _input,
}


def _is_here(host: Any) -> bool:
    """Whether it is this machine; the empty name is a Unix socket's."""
    return not host or host in ("localhost", b"localhost") or (_is_address(host) and ip_address(host).is_loopback)


_NO_FILES = ("/dev/", "/proc/", "/sys/", "/etc/", "/usr/share/")


def _is_address(host: Any) -> bool:
    try:
        ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True
