"""A TCP proxy on the test's own event loop, which cuts, refuses and stalls what runs through it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK = 1 << 16


class TcpProxy:
    """Stands before the server of `url`; `.url` is the same by way of the proxy. `async with` opens and closes it.

    All connections are treated alike. What was stalled is delivered when it is healed, unless it was cut.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        if not (self._target.hostname and self._target.port):
            raise ValueError("a proxy needs a URL with host and port, such as redis://127.0.0.1:6379/0")
        self._flows = asyncio.Event()
        self._flows.set()
        self._links: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._listener: asyncio.Server | None = None
        self._closed = False
        self.port = 0
        """The same for as long as it lives."""
        self.accepted = 0
        """How many connections were opened through it."""

    def __repr__(self) -> str:
        return f"<TcpProxy: 127.0.0.1:{self.port} to {self._target.hostname}:{self._target.port}>"

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def url(self) -> str:
        user, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{user}{at}127.0.0.1:{self.port}").geturl()

    # ------------------------------------------------------------ what goes wrong

    def cut(self) -> None:
        """Drop each connection, at both ends, with whatever is under way on it; new ones are taken."""
        for task, writers in self._links.items():
            for writer in writers:
                writer.transport.abort()
            task.cancel()

    def refuse(self) -> None:
        """Drop each connection, and refuse new ones, until heal()."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.cut()

    def stall(self) -> None:
        """Keep the connections, take new ones, and pass nothing on, until heal()."""
        self._flows.clear()

    async def heal(self) -> None:
        """All is as in the beginning."""
        self._flows.set()
        if self._listener is None and not self._closed:
            await self._listen()

    async def close(self) -> None:
        """End all connections; `async with` does it."""
        self._closed = True
        self.refuse()
        if self._links:
            await asyncio.wait([*self._links])

    # ------------------------------------------------------------ inside

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        # Its own task, not that of the listener, which would log a cut as an error.
        ends = [writer]
        task = asyncio.create_task(self._link(reader, ends), name=f"connection {self.accepted} of {self!r}")
        self._links[task] = ends
        task.add_done_callback(self._links.pop)

    async def _link(self, reader: asyncio.StreamReader, ends: list[asyncio.StreamWriter]) -> None:
        try:
            await self._flows.wait()
            there, onward = await asyncio.open_connection(self._target.hostname, self._target.port)
            ends.append(onward)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, onward))
                both.create_task(self._pump(there, ends[0]))
        except* OSError:
            """An end that hangs up ends the connection, and nothing else."""
        finally:
            for each in ends:
                each.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK):
            await self._flows.wait()
            sink.write(chunk)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()
