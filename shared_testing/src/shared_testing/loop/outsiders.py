"""Who answers a loop of virtual time in real time: child processes, and whoever has the other end of a socket."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

GRACE_SHARE = 0.01
LONGEST_GRACE = 1.0


def grace(jump: float, least: float, share: float = GRACE_SHARE) -> float:
    """Real seconds in which others may answer before a jump of so many: a longer one waits longer, within reason."""
    return min(LONGEST_GRACE, max(least, jump * share))


class KnowsChildren(asyncio.SelectorEventLoop):
    """A loop that can tell whether a child process runs."""

    _children: WeakSet[asyncio.SubprocessTransport] | None = None
    """None as long as there was none."""

    async def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> asyncio.SubprocessTransport:
        transport: asyncio.SubprocessTransport = await super()._make_subprocess_transport(*args, **kwargs)  # type: ignore[misc]
        self._children = self._children or WeakSet()
        self._children.add(transport)
        return transport

    def has_children(self) -> bool:
        return any(each.get_returncode() is None for each in self._children or ())
