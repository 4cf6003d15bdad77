"""Acknowledge in batches that make themselves.

A round trip for each message would set the pace. So whatever is done by the time a call begins goes in that one call,
and what gets done during it goes in the next: the slower the queue, the larger the batches.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_processor.queues.message_queue import Message


class Acknowledgements:
    """The messages that are done, on their way to the queue.

    `send` gets through in the end; `ended` is told of each flush that ended in whatever way.
    """

    def __init__(
        self, send: Callable[[list[Message]], Awaitable[None]], ended: Callable[[asyncio.Task[None]], None]
    ) -> None:
        self.pending = 0
        """How many are done, and not yet acknowledged."""
        self._send = send
        self._ended = ended
        self._done: list[Message] = []
        self._flush: asyncio.Task[None] | None = None

    def add(self, message: Message) -> None:
        self.pending += 1
        self._done.append(message)
        if self._flush is None or self._flush.done():
            self._flush = asyncio.get_running_loop().create_task(self._flush_all(), name="queue-processor acks")
            self._flush.add_done_callback(self._ended)

    async def flushed(self) -> None:
        """Return when all are acknowledged, or when a flush has failed for good."""
        while self._flush is not None and not self._flush.done():
            await asyncio.wait([self._flush])

    def cancel(self) -> list[asyncio.Task[None]]:
        """Give up, and return what has to be waited for."""
        if self._flush is None:
            return []
        self._flush.cancel()
        return [self._flush]

    async def _flush_all(self) -> None:
        while self._done:
            batch, self._done = self._done, []
            await self._send(batch)
            self.pending -= len(batch)
