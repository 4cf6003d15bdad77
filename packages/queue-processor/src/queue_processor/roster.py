"""Who consumes from the processor's queue just now, so that they can be told to stop and waited for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_processor.waiters import Waiters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_processor.channel import Channel
    from queue_processor.consumers import Consumer


class Roster:
    """The consumers of one channel."""

    def __init__(self, channel: Channel[Any]) -> None:
        self._channel = channel
        self._members: dict[Consumer[Any, Any], None] = {}
        self._leaving = Waiters()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Consumer[Any, Any]]:
        return iter(list(self._members))

    def add(self, consumer: Consumer[Any, Any]) -> None:
        self._members[consumer] = None

    def remove(self, consumer: Consumer[Any, Any]) -> None:
        self._members.pop(consumer, None)
        self._leaving.wake_all()
        if not self._members:
            self._channel.interrupt()

    def forget(self) -> None:
        self._members = {}

    def stop(self) -> None:
        """Each finishes the item in its hand, and leaves."""
        for consumer in self:
            consumer.stop()
        self._channel.interrupt()

    def cancel(self) -> None:
        """Each gives the item in its hand back, and leaves."""
        for consumer in self:
            consumer.cancel()

    async def empty(self, seconds: float | None) -> bool:
        """Wait until all have left, at most so long; say whether they have."""
        try:
            async with asyncio.timeout(seconds):
                while self._members:
                    await self._leaving.wait()
        except TimeoutError:
            return False
        return True


async def wind_down(roster: Roster, drain: float | None, grace: float) -> None:
    """Let the consumers drain for `drain` seconds, then finish what they hold for `grace` seconds, then cancel them."""
    if await roster.empty(drain):
        return
    roster.stop()
    if await roster.empty(grace):
        return
    roster.cancel()
    await roster.empty(None)
