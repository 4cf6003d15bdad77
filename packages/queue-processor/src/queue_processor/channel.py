"""A bounded queue that can end, take an item back, and lose none.

asyncio.Queue has no end before Python 3.13, so its users put an item that means "no more" into it, which
is then taken for work, or left behind for the next run. Here the end is a state. An item that was taken stays
counted until it is acknowledged; given back, it comes first again.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

from queue_processor.errors import QueueClosed
from queue_processor.waiters import Waiters

T = TypeVar("T")


class Stoppable(Protocol):
    """Who takes from a channel, and may be told to stop while it waits."""

    stopping: bool


class Delivery(Generic[T]):
    """An item on its way, with what has happened to it."""

    __slots__ = ("failures", "handed_back", "item", "number")

    def __init__(self, item: T, number: int) -> None:
        self.item = item
        self.number = number
        """The place in the order of acceptance, from 0."""
        self.failures = 0
        """How often its handler raised."""
        self.handed_back = 0
        """How often its consumer was cancelled; that is nobody's failure, so it is counted apart."""


class Channel(Generic[T]):
    """Items in the order of acceptance, at most `maxsize` of them waiting.

    ended: those who take are told so when nothing is left, in work included. closed: nothing more is accepted.
    """

    def __init__(self, maxsize: int) -> None:
        if maxsize < 1:
            raise ValueError(f"maxsize={maxsize}: the queue is bounded, so that producers wait; give 1 or more")
        self.maxsize = maxsize
        self.ended = False
        self.closed = False
        self.waiting: deque[Delivery[T]] = deque()
        self.unfinished = 0
        """Accepted, and not yet acknowledged."""
        self.lent = 0
        """Taken by somebody who is no consumer and may never acknowledge."""
        self._accepted = 0
        self._getters = Waiters()
        self._putters = Waiters()
        self._joiners = Waiters()

    # ------------------------------------------------------------ in

    def has_room(self) -> bool:
        return len(self.waiting) < self.maxsize and not self.closed

    def push(self, item: T) -> None:
        """Accept the item now, room or not."""
        number = self._accepted
        self._accepted = number + 1
        self.unfinished += 1
        self.waiting.append(Delivery(item, number))
        if self._getters:
            self._getters.wake_one()

    async def put(self, item: T) -> None:
        """Accept the item as soon as there is room.

        Raises QueueClosed, also when the channel is closed meanwhile. Cancelled, it has not accepted the item.
        """
        while not self.has_room():
            if self.closed:
                raise QueueClosed("the queue is closed and takes no more items; the one offered was not accepted")
            await self._putters.wait()
        self.push(item)

    # ------------------------------------------------------------ out

    def take_nowait(self) -> Delivery[T] | None:
        if not self.waiting:
            return None
        delivery = self.waiting.popleft()
        if self._putters:
            self._putters.wake_one()
        return delivery

    async def take(self, taker: Stoppable) -> Delivery[T] | None:
        """The next item, or None when the input has ended and all is done, or when the taker is to stop.

        Between the wake-up and the return nothing is awaited: a cancelled take() has taken nothing.
        """
        while not taker.stopping:
            if (delivery := self.take_nowait()) is not None:
                return delivery
            if self.over():
                return None
            await self._getters.wait()
        if self.waiting:
            # This taker may have been woken for an item that it now leaves to the others.
            self._getters.wake_one()
        return None

    def ack(self) -> None:
        """One item that was taken is dealt with."""
        self.unfinished = left = self.unfinished - 1
        if left == self.lent:
            self._nothing_in_work()

    def nack(self, delivery: Delivery[T]) -> None:
        """Take an item back: it comes before everything that was accepted after it, and the bound does not count."""
        delivery.handed_back += 1
        later = []
        while self.waiting and self.waiting[0].number < delivery.number:
            later.append(self.waiting.popleft())
        self.waiting.appendleft(delivery)
        self.waiting.extendleft(reversed(later))
        self._getters.wake_one()

    # ------------------------------------------------------------ the end

    def over(self) -> bool:
        """The input has ended, nothing waits, and nothing in work can come back."""
        return self.ended and self.unfinished == self.lent

    def end(self) -> None:
        """No more input for now: who takes is told when all is done."""
        self.ended = True
        if self.over():
            self._getters.wake_all()

    def close(self) -> None:
        """End for good: whoever waits to put gets QueueClosed."""
        self.closed = True
        self.end()
        self._putters.wake_all()

    def reopen(self) -> None:
        self.ended = self.closed = False

    def interrupt(self) -> None:
        """Let everybody who waits look again at what they wait for."""
        for waiters in (self._getters, self._putters, self._joiners):
            waiters.wake_all()

    async def settled(self) -> None:
        """Return when everything accepted may have been acknowledged, or at an interrupt."""
        await self._joiners.wait()

    def _nothing_in_work(self) -> None:
        if self.ended:
            self._getters.wake_all()
        if self._joiners and not self.unfinished:
            self._joiners.wake_all()
