"""Whether the other end of a connection lies in an event loop of this process that stands still.

A server of a module-scoped fixture answers nobody while a test runs on a loop of its own: the client's socket is
open, and nothing will ever come.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from shared_testing.loop.watched import open_loops

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator


def idle_ends(loop: Any) -> list[asyncio.AbstractEventLoop | None]:
    """For each descriptor of the loop but its own wake-up pipe: the idle loop that has the other end, if one has."""
    open_here = _open_here(loop)
    if not open_here:
        return []
    others = [(other, list(_addresses(other))) for other in open_loops(but=loop) if _is_idle(other)]
    return [_holder(fd, others) for fd in open_here]


def both_ends_are_in(loop: Any) -> bool:
    """Whether each connection of the loop is one with itself, so that nobody else could send anything."""
    open_here = _open_here(loop)
    names = {_ask(fd, socket.socket.getsockname) or "" for fd in open_here}
    # Who listens has no peer.
    return all(_is_listening(fd) or (_ask(fd, socket.socket.getpeername) or None) in names for fd in open_here)


def _open_here(loop: Any) -> list[int]:
    own = loop._ssock.fileno() if loop._ssock is not None else None
    return [fd for fd in loop._selector.get_map() if fd != own]


def _is_listening(fd: int) -> bool:
    return bool(_ask(fd, lambda double: double.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)))


def _is_idle(loop: Any) -> bool:
    return not loop.is_running() and hasattr(loop, "_selector")


def _holder(fd: int, others: list[tuple[asyncio.AbstractEventLoop, list[Any]]]) -> asyncio.AbstractEventLoop | None:
    peer = _ask(fd, socket.socket.getpeername)
    # A socket pair has no name.
    return next((other for other, addresses in others if peer and peer in addresses), None)


def _addresses(loop: Any) -> Iterator[Any]:
    # Its thread may close it just now.
    for fd in list(getattr(loop._selector, "get_map", dict)() or ()):
        if name := _ask(fd, socket.socket.getsockname):
            yield name


def _ask(fd: int, question: Any) -> Any:
    try:
        with socket.socket(fileno=os.dup(fd)) as double:
            return question(double)
    except OSError:
        return None
