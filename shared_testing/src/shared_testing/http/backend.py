"""An aiohttp application that runs without a socket."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from aiohttp import web

from shared_testing.http.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler

    Intercept = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

INTERCEPT = "shared_testing.intercept"
"""In a transport's extra info: what stands between its requests and the application."""

# For a handler that swallows its cancellation. Nothing else waits for it.
_LAST_SECONDS = 1.0


class Backend:
    """Started by the first connection. One for each application, however many hosts it is served at."""

    def __init__(self, app: web.Application, options: Mapping[str, Any]) -> None:
        self.app = app
        self._runner = web.AppRunner(app, **{"access_log": None, "shutdown_timeout": _LAST_SECONDS, **options})
        # The server is no part of the program that happens to connect first: it does not see its context variables.
        self._context = copy_context()
        self._starting: asyncio.Task[None] | None = None
        self._handling: dict[asyncio.Task[Any] | None, Any] = {}
        """The transport of each request that is being answered."""
        self._transports: WeakSet[MemoryTransport] = WeakSet()

    async def start(self) -> None:
        """Run the application's startup, once. What it raises, everybody gets who connects."""
        if self._starting is None:
            self._starting = self._context.run(asyncio.get_running_loop().create_task, self._start())
        # Others may wait for it too: no client's timeout ends it.
        await (self._starting if self._starting.done() else asyncio.shield(self._starting))

    async def _start(self) -> None:
        await self._runner.setup()
        server: Any = self._runner.server
        application: Handler = server.request_handler

        async def handle(request: web.Request) -> web.StreamResponse:
            intercept: Intercept | None = request.get_extra_info(INTERCEPT)
            task = asyncio.current_task()
            self._handling[task] = request.transport
            try:
                return await (application(request) if intercept is None else intercept(request, application))
            finally:
                del self._handling[task]

        server.request_handler = handle

    def accept(self, loop: asyncio.AbstractEventLoop, extra: Mapping[str, Any]) -> MemoryTransport:
        """The server's end of a new connection."""
        new_protocol: Any = self._runner.server
        transport = MemoryTransport(loop, new_protocol(), extra, self._context)
        self._transports.add(transport)
        return transport

    def close_idle(self, intercept: Intercept) -> None:
        """Close the connections of that host on which no request is being answered."""
        busy = list(self._handling.values())
        for transport in list(self._transports):
            if transport not in busy and transport.get_extra_info(INTERCEPT) == intercept:
                transport.close()

    async def close(self) -> None:
        """End what the application is doing for anybody, and clean it up."""
        if self._starting is None:
            return
        running = [task for task in (self._starting, *self._handling) if task is not None and not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_LAST_SECONDS)
        # Also after a startup that failed: aiohttp then undoes the part that was done.
        await self._runner.cleanup()
        if self._starting.done() and not self._starting.cancelled():
            # Whoever connected has got it.
            self._starting.exception()
