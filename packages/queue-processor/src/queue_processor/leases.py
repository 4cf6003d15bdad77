"""Keep the leases of the messages in hand from running out.

The renewing has a task of its own: however long handlers take, and whatever they do short of blocking the event loop,
it is on time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from queue_processor.outages import Outages
    from queue_processor.queues.message_queue import Message, MessageQueue

_RENEWALS_PER_LEASE = 3


class Leases:
    """The messages that one worker has, from their coming until the queue knows what became of them."""

    def __init__(self, queue: MessageQueue, outages: Outages) -> None:
        self._queue = queue
        self._outages = outages
        # By identity: a message whose lease was lost may come again while its first delivery is still in work.
        self._held: dict[int, Message] = {}

    def __len__(self) -> int:
        return len(self._held)

    @property
    def held(self) -> list[Message]:
        return list(self._held.values())

    def hold(self, messages: Iterable[Message]) -> None:
        self._held.update((id(message), message) for message in messages)

    def drop(self, messages: Iterable[Message]) -> None:
        """The queue has heard of them, or is not to."""
        for message in messages:
            self._held.pop(id(message), None)

    async def keep(self) -> None:
        """Renew what is held, for ever. What is lost nevertheless goes on: it is done twice rather than never."""
        while True:
            await asyncio.sleep(self._queue.lease / _RENEWALS_PER_LEASE)
            await self._outages.outlast(self._renew)

    async def _renew(self) -> None:
        # Looked up at each try: what was done meanwhile is held no more, what came meanwhile is.
        if self._held:
            await self._queue.renew(*self._held.values())
