"""What a message queue is, whoever keeps the messages.

At-least-once: a message is leased to whoever gets it, and comes back unless it is acknowledged in time. How often it
may come is bounded; after that it is a dead letter, which stays until somebody deals with it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

DEATHS_TO_QUARANTINE = 2
"""After so many leases that ran out, a message is handed out alone: it may be what kills its workers."""


LEASE_OVER = "its lease ran out: its worker died, or was cut off"
"""Why a message is a dead letter that nobody has given back."""


def check_limits(lease: float, max_deliveries: int) -> None:
    """Raise ValueError for what no message could come through. `lease` in seconds."""
    if not lease > 0 or max_deliveries < 1:
        raise ValueError(f"lease={lease}, max_deliveries={max_deliveries}: a lease takes time, and one delivery")


class Message(NamedTuple):
    """One delivery of what was put."""

    id: str
    """The same at each delivery: the idempotency key."""
    body: bytes
    deliveries: int
    """How often it was handed out, this time included."""
    deaths: int = 0
    """How often it was not heard of again, as the worker that had it died, or was cut off for longer than the lease."""

    @property
    def is_suspect(self) -> bool:
        """It runs alone, so that no other message goes down with it."""
        return self.deaths >= DEATHS_TO_QUARANTINE

    def json(self) -> Any:
        """The body, read as JSON. Raises ValueError if it is none."""
        return json.loads(self.body)


class DeadMessage(NamedTuple):
    """A message that was given up."""

    id: str
    body: bytes
    deliveries: int
    reason: str
    """Why its last delivery was the last."""


class Counts(NamedTuple):
    """How many messages are where."""

    waiting: int
    """Now, or after a delay."""
    in_flight: int
    dead: int


class MessageQueue(Protocol):
    """What a QueueProcessor works on. `async with` opens and closes it.

    Methods raise QueueUnavailable while the place where the messages are cannot be reached, and have then changed
    nothing or have done what they were to do: each may be called again, and only put_many() would put twice.
    """

    @property
    def lease(self) -> float:
        """Seconds until a message that is neither acknowledged nor renewed comes back."""

    @property
    def max_deliveries(self) -> int:
        """After so many deliveries a message is a dead letter."""

    async def put_many(self, bodies: Iterable[bytes], /) -> list[str]:
        """Put messages, all or none; their ids. Cancelled, it may have put them."""

    async def get_batch(self, limit: int, /, timeout: float | None = None) -> list[Message]:
        """Up to `limit` messages, as soon as there is one; none after `timeout` seconds (None: waits for ever).

        A suspect comes alone. Cancelled, it has taken none, or what it took comes back after its lease.
        """

    async def ack(self, *messages: Message) -> int:
        """Done with them; how many were still the caller's."""

    async def nack(self, message: Message, delay: float = 0, reason: str = "") -> bool:
        """Hand it out again `delay` seconds from now; or give it up, if that was its last delivery.

        False: it was not the caller's any more, and nothing was done.
        """

    async def release(self, *messages: Message) -> int:
        """Give them back undone: this delivery does not count. How many were still the caller's."""

    async def bury(self, message: Message, reason: str) -> bool:
        """Give it up now. False: it was not the caller's any more."""

    async def withdraw(self, *ids: str) -> int:
        """Take messages back that nobody has begun with; how many there were. The others stay."""

    async def renew(self, *messages: Message) -> int:
        """Begin their leases anew; how many were still the caller's."""

    async def dead_letters(self, limit: int | None = None) -> list[DeadMessage]:
        """What was given up, the oldest first."""

    async def retry_dead(self, *ids: str) -> int:
        """Put dead letters back, with no deliveries counted; all of them if no id is given. How many there were."""

    async def drop_dead(self, *ids: str) -> int:
        """Forget dead letters; all of them if no id is given. How many there were."""

    async def counts(self) -> Counts:
        """How many messages are where."""

    def named(self, name: str, *, forgotten_after: float | None = None) -> MessageQueue:
        """Another queue in the same place, with the same lease. It is open as long as this one is.

        `forgotten_after`: what is in it may be dropped when nothing was put for so many seconds; for replies, whose
        reader may have died.
        """

    async def close(self) -> None:
        """Let go of file, thread or connections. The messages stay, if they are kept anywhere."""
