"""The processor's queue as its users see it: the shape of asyncio.Queue, plus an end.

In the old protocol a None in the queue means "no more", one for each consumer. It still says so here, but as a
message to the queue: it never becomes an item, and one is enough for any number of consumers. An item that *is*
None goes in by producer(), process_all() or put() of the processor, where nothing is a signal.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from queue_processor.errors import QueueClosed

if TYPE_CHECKING:
    from queue_processor.workplace import Workplace

T = TypeVar("T")


class _Outsider:
    """Takes items without being a consumer: nobody tells it to stop."""

    stopping = False


_OUTSIDER = _Outsider()


class ItemQueue(Generic[T]):
    """``processor.queue``. Items wait here for consumer() and for the consumers of ``async with``."""

    def __init__(self, place: Workplace[T, Any]) -> None:
        self._place = place
        self._channel = place.channel
        self._rounds = place.rounds

    def __repr__(self) -> str:
        channel = self._channel
        state = "closed" if channel.closed else "ended" if channel.ended else "open"
        return f"<ItemQueue {state}: {self.qsize()} of {self.maxsize} waiting, {channel.unfinished} unfinished>"

    @property
    def maxsize(self) -> int:
        return self._channel.maxsize

    def qsize(self) -> int:
        """How many items wait; those in a consumer's hand are not counted."""
        return len(self._channel.waiting)

    def empty(self) -> bool:
        return not self._channel.waiting

    def full(self) -> bool:
        return self.qsize() >= self.maxsize

    async def put(self, item: T | None) -> None:
        """Wait for room and put the item; None says that no more comes, and never waits.

        Raises QueueClosed after the processor was shut down, and ItemFailed if so asked. Cancelled, it has put nothing.
        """
        self._place.forget_closed_loop()
        if item is None:
            self._rounds.signal()
            return
        self._rounds.item()
        await self._place.put(item)

    def put_nowait(self, item: T | None) -> None:
        """As put(), but raises asyncio.QueueFull where that would wait."""
        self._place.forget_closed_loop()
        if item is None:
            self._rounds.signal()
            return
        self._rounds.item()
        if self._channel.closed:
            raise QueueClosed("the queue is closed and takes no more items; the one offered was not accepted")
        if self.full():
            raise asyncio.QueueFull
        self._channel.push(item)

    def close(self) -> None:
        """No more comes for now: consumers return once everything is done. The next item begins a new input."""
        self._place.forget_closed_loop()
        self._rounds.end()

    async def get(self) -> T:
        """Take an item away from the consumers; call task_done() when it is dealt with, or join() will wait.

        Raises QueueClosed when the input has ended and nothing is left. Cancelled, it has taken nothing.
        """
        delivery = await self._channel.take(_OUTSIDER)
        if delivery is None:
            raise QueueClosed("the input has ended and nothing is left to get")
        self._channel.lent += 1
        return delivery.item

    def get_nowait(self) -> T:
        """As get(), but raises asyncio.QueueEmpty where that would wait."""
        delivery = self._channel.take_nowait()
        if delivery is None:
            raise asyncio.QueueEmpty
        self._channel.lent += 1
        return delivery.item

    def task_done(self) -> None:
        """An item that came from get() is dealt with. Consumers do this by themselves for theirs."""
        if not self._channel.lent:
            raise ValueError(
                "task_done() was called more often than get(); consumers acknowledge their items themselves"
            )
        self._channel.lent -= 1
        self._channel.ack()

    async def join(self) -> None:
        """Return when every item that was put is done or among the dead letters.

        Raises ItemFailed if so asked, and UnfinishedWork when the processor was shut down before all was done.
        """
        await self._place.join()
