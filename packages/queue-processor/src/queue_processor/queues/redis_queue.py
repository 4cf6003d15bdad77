"""A message queue on a Redis or Valkey server: for as many machines as there are.

A stream holds the messages, and its consumer group knows who has which. A worker that dies is noticed by the others,
when its leases run out. What outlives the server is the server's affair: see its `appendonly` and `appendfsync`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from contextlib import suppress
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from queue_processor.errors import QueueProcessorError
from queue_processor.queues import redis_scripts as scripts
from queue_processor.queues.message_queue import (
    DEATHS_TO_QUARANTINE,
    LEASE_OVER,
    Counts,
    DeadMessage,
    Message,
    check_limits,
)
from queue_processor.queues.redis_client import RedisClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

_T = TypeVar("_T")


class RedisQueue:
    """A :class:`MessageQueue` of one event loop on a server that others use, too.

    It needs redis-py (``pip install asyncworks-queue-processor[redis]``), and Redis 6.2 or later, or Valkey. All that
    work on one queue give it the same `lease` and `max_deliveries`. Leases and delays are measured by the server.
    """

    def __init__(self, url: str, name: str = "default", *, lease: float = 30.0, max_deliveries: int = 5) -> None:
        """`url` is ``redis://user:password@host:6379/0``, ``rediss://`` for TLS, or ``unix:///path``; `lease` in
        seconds. It connects at the first call.

        Raises ValueError for a URL that is none, and ImportError without redis-py.
        """
        check_limits(lease, max_deliveries)
        self.lease = lease
        self.max_deliveries = max_deliveries
        self._others: dict[str, RedisQueue] = {}
        self._begin(RedisClient(url), name, owns_client=True)

    def _begin(self, client: RedisClient, name: str, *, owns_client: bool) -> None:
        if not name or set(name) & set("{}"):
            raise ValueError(f"name={name!r}: the name of a queue has at least one letter, and no braces")
        self.name = name
        self._client = client
        self._owns_client = owns_client
        # In braces: a cluster keeps all of it on one server.
        self._keys = [f"asyncworks:{{{name}}}{key}" for key in scripts.KEYS]
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        # One asks at a time: what an answer that got lost had handed out is told from what others were given.
        self._taking = asyncio.Lock()
        self._answer_lost = False
        self._held: set[tuple[str, int]] = set()
        # Not so long that the server seems to be gone, nor that leases run out unnoticed.
        self._tick = min(1.0, self.lease / 3, client.patience / 2)
        self._next_reclaim = float("-inf")
        self._joined = False
        # Milliseconds without a put after which all of it may go; 0: never.
        self._lasting = 0

    def __repr__(self) -> str:
        return f"<RedisQueue {self.name!r} at {self._client.place}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------ in and out

    async def put_many(self, bodies: Iterable[bytes], /) -> list[str]:
        batches = [[self._lasting, *batch] for batch in _batches([bytes(body) for body in bodies])]
        if len(batches) > 1:
            answers = await self._client.run_all(scripts.PUT, self._keys, batches)
            return [each.decode() for ids in answers for each in ids]
        return [each.decode() for each in await self._run(scripts.PUT, *batches[0])] if batches else []

    async def get_batch(self, limit: int, /, timeout: float | None = None) -> list[Message]:
        now = asyncio.get_running_loop().time
        end = now() + timeout if timeout is not None else float("inf")
        while True:
            taken = await self._take(limit)
            left = end - now()
            if taken.messages or left <= 0:
                return taken.messages
            # Waiting takes nothing, so that nothing is lost with it.
            seconds = min(left, taken.due, max(self._next_reclaim - now(), 0), self._tick)
            block = max(1, round(seconds * 1000 + 0.5))
            await self._client.command("XREAD", "BLOCK", block, "STREAMS", self._key(":wake"), taken.last)

    # ------------------------------------------------------------ dealt with

    async def ack(self, *messages: Message) -> int:
        return await self._deal_with(messages, scripts.ACK)

    async def nack(self, message: Message, delay: float = 0, reason: str = "") -> bool:
        milliseconds = max(0.0, delay * 1000)
        return bool(await self._give(message, milliseconds, reason or "given back"))

    async def release(self, *messages: Message) -> int:
        return await self._deal_with(messages, scripts.RELEASE, DEATHS_TO_QUARANTINE)

    async def bury(self, message: Message, reason: str) -> bool:
        return bool(await self._give(message, -1, reason))

    async def withdraw(self, *ids: str) -> int:
        return sum([await self._run(scripts.WITHDRAW, *batch) for batch in _batches(ids)])

    async def renew(self, *messages: Message) -> int:
        return sum([await self._run(scripts.RENEW, self._consumer, _named(batch)) for batch in _batches(messages)])

    # ------------------------------------------------------------ looked at

    async def dead_letters(self, limit: int | None = None) -> list[DeadMessage]:
        if limit == 0:
            return []
        await self._reclaim(works=False)
        words = () if limit is None else ("COUNT", limit)
        answer = await self._client.command("XRANGE", self._key(":dead"), "-", "+", *words)
        return [_letter(fields) for _, fields in _entries(answer)]

    async def retry_dead(self, *ids: str) -> int:
        return await self._empty_dead(ids, "1")

    async def drop_dead(self, *ids: str) -> int:
        return await self._empty_dead(ids, "0")

    async def counts(self) -> Counts:
        await self._reclaim(works=False)
        return Counts(*await self._run(scripts.COUNTS))

    def named(self, name: str, *, forgotten_after: float | None = None) -> RedisQueue:
        if name not in self._others:
            other = object.__new__(RedisQueue)
            other.lease, other.max_deliveries, other._others = self.lease, self.max_deliveries, self._others
            other._begin(self._client, name, owns_client=False)
            self._others[name] = other
        if forgotten_after is not None:
            self._others[name]._lasting = max(1, round(forgotten_after * 1000))
        return self._others[name]

    async def close(self) -> None:
        try:
            for queue in [*self._others.values(), self] if self._owns_client else [self]:
                await queue._leave()
        finally:
            if self._owns_client:
                await self._client.close()

    # ------------------------------------------------------------ inside

    def _key(self, name: str) -> str:
        return self._keys[scripts.KEYS.index(name)]

    async def _run(self, script: str, *arguments: Any) -> Any:
        return await self._client.run(script, self._keys, arguments, self._lasting)

    async def _take(self, limit: int) -> _Taken:
        async with self._taking:
            await self._recover()
            if (now := asyncio.get_running_loop().time()) >= self._next_reclaim:
                await self._reclaim(works=True)
                self._next_reclaim = now + self._tick
            self._answer_lost = self._joined = True
            came, names, lengths, bodies, *idle = await self._run(
                scripts.TAKE, self._consumer, limit, DEATHS_TO_QUARANTINE
            )
            self._answer_lost = False
            messages = [
                Message(name.decode(), body, deliveries, deaths)
                for name, body, deliveries, deaths in zip(*[iter(came)] * 4, strict=True)
            ]
            if isinstance(bodies, bytes):
                bodies = _cut(bodies, lengths)
            messages += [Message(name, body, 1) for name, body in zip(names.decode().split(), bodies, strict=True)]
            self._held |= {(message.id, message.deliveries) for message in messages}
        wait, last = idle or (0, b"")
        return _Taken(messages, wait / 1000 if wait >= 0 else float("inf"), last)

    async def _recover(self) -> None:
        """What was handed out by an answer that was cut off is given back, undone."""
        if self._answer_lost:
            known = " ".join(f"{name} {deliveries}" for name, deliveries in self._held)
            await self._run(scripts.RECOVER, self._consumer, known, DEATHS_TO_QUARANTINE)
            self._answer_lost = False

    async def _reclaim(self, *, works: bool) -> None:
        lease = round(self.lease * 1000)
        rules = lease, DEATHS_TO_QUARANTINE, self.max_deliveries, LEASE_OVER, int(works)
        while await self._run(scripts.RECLAIM, *rules) == scripts.BATCH:
            """There are more."""

    async def _deal_with(self, messages: Sequence[Message], script: str, *arguments: Any) -> int:
        count = 0
        for batch in _batches(messages):
            count += await self._run(script, self._consumer, _named(batch), *arguments)
            self._held.difference_update((message.id, message.deliveries) for message in batch)
        return count

    async def _give(self, message: Message, milliseconds: float, reason: str) -> int:
        arguments = DEATHS_TO_QUARANTINE, self.max_deliveries, milliseconds, reason
        return await self._deal_with([message], scripts.NACK, *arguments)

    async def _empty_dead(self, ids: tuple[str, ...], back: str) -> int:
        wanted: Sequence[str | bytes] = ids or await self._dead_ids()
        return sum([await self._run(scripts.EMPTY_DEAD, back, *batch) for batch in _batches(wanted)])

    async def _dead_ids(self) -> list[bytes]:
        """The oldest first."""
        words = await self._client.command("HGETALL", self._key(":letters"))
        letters = words.items() if isinstance(words, dict) else zip(words[::2], words[1::2], strict=True)
        return [name for name, _ in sorted(letters, key=lambda each: [int(part) for part in each[1].split(b"-")])]

    async def _leave(self) -> None:
        """A consumer that has nothing is forgotten; what is left of one that has, comes back by its leases."""
        if not self._joined:
            return
        with suppress(QueueProcessorError):
            async with self._taking:
                await self._recover()
                await self._run(scripts.LEAVE, self._consumer)
                self._joined = False


class _Taken(NamedTuple):
    messages: list[Message]
    due: float
    """Seconds until a message is that was given back for later."""
    last: bytes
    """The last time that who waits was woken."""


def _batches(everything: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (everything[first : first + scripts.BATCH] for first in range(0, len(everything), scripts.BATCH))


def _named(messages: Iterable[Message]) -> str:
    """As the scripts read it: the id and which delivery of it, of each."""
    return " ".join(f"{message.id} {message.deliveries}" for message in messages)


def _cut(bodies: bytes, lengths: bytes) -> list[bytes]:
    ends = list(accumulate(map(int, lengths.split()), initial=0))
    return [bodies[start:end] for start, end in pairwise(ends)]


def _entries(answer: Any) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """redis-py makes a dict of a stream entry's fields, and a list of them where it does not know the command."""
    for entry, fields in answer:
        yield entry, fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))


def _letter(fields: dict[bytes, bytes]) -> DeadMessage:
    return DeadMessage(fields[b"i"].decode(), fields[b"b"], int(fields[b"d"]), fields[b"r"].decode("utf-8", "replace"))
