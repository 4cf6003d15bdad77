"""The event loops that are watched in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    import asyncio

_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

add = _loops.add


def open_loops(but: asyncio.AbstractEventLoop | None = None) -> list[asyncio.AbstractEventLoop]:
    """All that are not closed yet, without `but`."""
    return [loop for loop in list(_loops) if loop is not but and not loop.is_closed()]
