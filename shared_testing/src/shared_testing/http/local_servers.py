"""Whether a server that listens on loopback is the test's own."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def is_served_by(loop: asyncio.AbstractEventLoop, host: str, port: int | None) -> bool:
    """Whether this event loop itself listens there. One that does not show its selector, as uvloop's, does not."""
    if host not in _LOOPBACK:
        return False
    selector: Any = getattr(loop, "_selector", None)
    return selector is not None and any(_listening_port(fd) == port for fd in list(selector.get_map()))


def _listening_port(fd: int) -> int | None:
    # Not a socket, as the loop's own pipe may be, or no internet one.
    with suppress(OSError), socket.socket(fileno=os.dup(fd)) as sock:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN
        ):
            port: int = sock.getsockname()[1]
            return port
    return None
