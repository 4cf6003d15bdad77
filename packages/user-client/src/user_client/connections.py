"""The open side of a client: one session, the permits to use it, and the end of both.

Nobody has to close a client that was used without ``async with``. The session is held by an async
generator, and event loops look after those: they close one when it is garbage, and all that are left when
they shut down (``asyncio.run`` and test runners call ``shutdown_asyncgens``).
"""

from __future__ import annotations

import asyncio
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from user_client.permits import Permits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import aiohttp

    from user_client.time_limit import TimeLimit


class Connections:
    """One session with its permits; belongs to the loop in which it was made."""

    def __init__(self, session: aiohttp.ClientSession, max_concurrent: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.session = session
        self.permits = Permits(max_concurrent)
        self.closing = False
        self.calls: set[TimeLimit] = set()
        """The time limits of the calls under way: what they can be ended by."""
        self._guard = _close_at_the_end(self.session)
        _start(self._guard)
        # A reference from outside. Else, when the garbage collector finds us in a cycle, it finds the session in the
        # same cycle, and calls the __del__ that reports it as unclosed before the loop can close it.
        weakref.finalize(self, _let_go, self._guard).atexit = False

    @property
    def usable(self) -> bool:
        return not (self.closing or self.session.closed or self.loop.is_closed())

    async def close(self) -> None:
        """End what is under way, and close the session. Cancelled, it closes it nevertheless."""
        self.closing = True
        for limit in self.calls:
            # Wherever a call waits. Closing the session ends only those that have a connection.
            limit.expire()
        await self._guard.aclose()


async def _close_at_the_end(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await session.close()


def _let_go(guard: AsyncGenerator[None, None]) -> None:
    """Nothing to do: without its last reference the generator is handed to its loop, from any thread."""


def _start(guard: AsyncGenerator[None, None]) -> None:
    """Run up to the ``yield``, which is where the loop comes to know of the generator; nothing is awaited before it."""
    with suppress(StopIteration):
        guard.__anext__().send(None)


def discard(connector: aiohttp.BaseConnector) -> None:
    """Close a connector that has never been used; there is nothing to wait for."""
    with suppress(StopIteration):
        next(connector.close().__await__())


def check_session(session: aiohttp.ClientSession, max_concurrent: int) -> None:
    """Refuse a session of the caller's own that would break what this client promises."""
    if session.auto_decompress:
        raise ValueError("session_factory: pass auto_decompress=False on to ClientSession, or max_body cannot be kept")
    for name in ("limit", "limit_per_host"):
        limit = getattr(session.connector, name, 0)
        if 0 < limit < max_concurrent:
            raise ValueError(
                f"session_factory: the connector's {name}={limit} is below max_concurrent={max_concurrent}, so "
                "requests would queue inside aiohttp; raise the one or lower the other (0 means no limit)"
            )
