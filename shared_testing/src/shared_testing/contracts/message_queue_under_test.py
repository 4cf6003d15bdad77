"""A message queue that a contract is played to: what is asked of it, and what it says that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PATIENCE = 30.0
"""Seconds in which something that is there must have come, on any machine; what works does not take them."""


class Message(Protocol):
    """One delivery of what was put."""

    @property
    def id(self) -> str: ...
    @property
    def body(self) -> Any: ...
    @property
    def deliveries(self) -> int: ...


class MessageQueue(Protocol):
    """What the contract asks of a queue; bodies are bytes here. `ack` says how many were still the caller's.

    One with leases has ``renew(message) -> bool``; one that takes messages back ``nack(message, delay=0, reason="") ->
    bool``; one that gives them up ``dead_letters()``, and ``counts()`` with `waiting`, `in_flight` and `dead`. Whoever
    has a method of these keeps its promise, too: ``release(*messages)``, ``bury(message, reason)``,
    ``retry_dead(*ids)``, ``drop_dead(*ids)``, ``named(name)``; and whose messages have `deaths`, with it `is_suspect`,
    hands out a suspect alone.
    """

    async def put_many(self, bodies: Iterable[bytes], /) -> Sequence[str]: ...
    async def get_batch(self, limit: int, /, timeout: float | None = None) -> Sequence[Any]: ...
    async def ack(self, *messages: Any) -> int: ...


@dataclass(frozen=True, slots=True)
class MessageQueueUnderTest:
    """A queue, and what it does beyond handing out what was put."""

    queue: Any
    """A :class:`MessageQueue`."""
    lease: float | None = None
    """Seconds until what was not acknowledged comes back; None if it never does by itself."""
    max_deliveries: int | None = None
    """After so many a message is a dead letter; None if there are none."""
    nacks: bool = True
    """Whether it takes a message back."""

    renews_many: bool = True
    """Whether ``renew(*messages)`` takes several, and says how many were still the caller's."""

    async def bodies(self, limit: int = 100, timeout: float = 0) -> list[bytes]:
        """What the queue hands out, acknowledged at once, until it has nothing for so many seconds."""
        seen: list[bytes] = []
        while batch := await self.queue.get_batch(limit, timeout=timeout):
            seen += [message.body for message in batch]
            await self.queue.ack(*batch)
        return seen

    async def one(self) -> Any:
        """The next message, which has to come: now, or when a lease has run out."""
        batch = await self.queue.get_batch(1, timeout=PATIENCE + (self.lease or 0))
        if len(batch) != 1:
            pytest.fail(f"one message was expected, and the queue gave {batch!r:.200}")
        return batch[0]

    async def taken(self, count: int) -> list[Any]:
        """The next `count` messages, which are there, in batches as they come."""
        messages: list[Any] = []
        while len(messages) < count:
            batch = await self.queue.get_batch(count - len(messages), timeout=PATIENCE)
            if not batch:
                pytest.fail(f"{count} messages were expected, and the queue gave {messages!r:.200}")
            messages += batch
        return messages

    async def counts(self) -> tuple[int, int, int]:
        """How many wait, are in flight, are dead."""
        counts = await self.queue.counts()
        return counts.waiting, counts.in_flight, counts.dead

    def needs(self, *methods: str) -> None:
        for name in methods:
            if not hasattr(self.queue, name):
                pytest.skip(f"this queue has no {name}()")

    def needs_leases(self) -> float:
        if self.lease is None:
            pytest.skip("this queue has no leases")
        return self.lease

    def needs_nacks(self) -> None:
        if not self.nacks:
            pytest.skip("this queue takes nothing back")

    def needs_dead_letters(self) -> int:
        self.needs_nacks()
        if self.max_deliveries is None:
            pytest.skip("this queue has no dead letters")
        return self.max_deliveries
