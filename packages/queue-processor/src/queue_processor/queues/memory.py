"""A message queue in this process.

It keeps every promise of the durable ones but theirs: what is in it is lost with the process. For tests, and for work
that can be begun anew.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING, Self

from queue_processor.queues.message_queue import LEASE_OVER, Counts, DeadMessage, Message, check_limits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType


class MemoryQueue:
    """A :class:`MessageQueue` of one event loop; its time is the loop's."""

    def __init__(self, *, lease: float = 30.0, max_deliveries: int = 5) -> None:
        """`lease` in seconds."""
        check_limits(lease, max_deliveries)
        self.lease = lease
        self.max_deliveries = max_deliveries
        self._numbers = itertools.count(1)
        self._waiting: deque[Message] = deque()
        self._suspects: deque[Message] = deque()
        self._delayed: list[tuple[float, int, Message]] = []
        self._leased: dict[str, tuple[float, Message]] = {}
        # No lease ends before it: who only acknowledges need not look at each.
        self._first_end = float("inf")
        self._dead: dict[str, DeadMessage] = {}
        self._changed = asyncio.Event()
        self._others: dict[str, MemoryQueue] = {}

    def __repr__(self) -> str:
        waiting = len(self._waiting) + len(self._suspects) + len(self._delayed)
        return f"<MemoryQueue: {waiting} waiting, {len(self._leased)} in flight, {len(self._dead)} dead>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------ in and out

    async def put_many(self, bodies: Iterable[bytes], /) -> list[str]:
        messages = [Message(str(next(self._numbers)), bytes(body), 0) for body in bodies]
        await asyncio.sleep(0)
        self._waiting.extend(messages)
        self._changed.set()
        return [message.id for message in messages]

    async def get_batch(self, limit: int, /, timeout: float | None = None) -> list[Message]:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout if timeout is not None else float("inf")
        # Others run in between: who asks a queue without end must not keep the loop to himself.
        await asyncio.sleep(0)
        while not (batch := self._hand_out(limit, loop.time())):
            if loop.time() >= end:
                return []
            self._changed.clear()
            until = min(end, self._next_moment())
            try:
                async with asyncio.timeout_at(until if until < float("inf") else None):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return batch

    # ------------------------------------------------------------ dealt with

    async def ack(self, *messages: Message) -> int:
        await asyncio.sleep(0)
        return sum(self._let_go(message) for message in messages)

    async def nack(self, message: Message, delay: float = 0, reason: str = "") -> bool:
        await asyncio.sleep(0)
        if not self._let_go(message):
            return False
        self._again(message, _now() + delay if delay > 0 else 0.0, reason or "given back")
        return True

    async def release(self, *messages: Message) -> int:
        await asyncio.sleep(0)
        mine = [message for message in messages if self._let_go(message)]
        self._wait_first([message._replace(deliveries=message.deliveries - 1) for message in mine])
        return len(mine)

    async def bury(self, message: Message, reason: str) -> bool:
        await asyncio.sleep(0)
        if not self._let_go(message):
            return False
        self._give_up(message, reason)
        return True

    async def withdraw(self, *ids: str) -> int:
        await asyncio.sleep(0)
        left = deque(each for each in self._waiting if each.id not in ids)
        withdrawn, self._waiting = len(self._waiting) - len(left), left
        return withdrawn

    async def renew(self, *messages: Message) -> int:
        await asyncio.sleep(0)
        mine = [message for message in messages if self._is_leased(message)]
        for message in mine:
            self._leased[message.id] = (_now() + self.lease, message)
        return len(mine)

    # ------------------------------------------------------------ looked at

    async def dead_letters(self, limit: int | None = None) -> list[DeadMessage]:
        await asyncio.sleep(0)
        self._take_back(_now())
        return list(itertools.islice(self._dead.values(), limit))

    async def retry_dead(self, *ids: str) -> int:
        letters = await self._take_dead(ids)
        self._waiting.extend(Message(letter.id, letter.body, 0) for letter in letters)
        self._changed.set()
        return len(letters)

    async def drop_dead(self, *ids: str) -> int:
        return len(await self._take_dead(ids))

    async def counts(self) -> Counts:
        await asyncio.sleep(0)
        self._take_back(_now())
        waiting = len(self._waiting) + len(self._suspects) + len(self._delayed)
        return Counts(waiting, len(self._leased), len(self._dead))

    def named(self, name: str, *, forgotten_after: float | None = None) -> MemoryQueue:  # noqa: ARG002 - it ends with us
        return self._others.setdefault(name, MemoryQueue(lease=self.lease, max_deliveries=self.max_deliveries))

    async def close(self) -> None:
        await asyncio.sleep(0)

    # ------------------------------------------------------------ inside

    def _hand_out(self, limit: int, now: float) -> list[Message]:
        self._take_back(now)
        while self._delayed and self._delayed[0][0] <= now:
            self._wait(heapq.heappop(self._delayed)[2])
        if self._suspects:
            batch = [self._suspects.popleft()]
        else:
            batch = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        batch = [message._replace(deliveries=message.deliveries + 1) for message in batch]
        self._leased |= {message.id: (now + self.lease, message) for message in batch}
        self._first_end = min(self._first_end, now + self.lease)
        return batch

    def _take_back(self, now: float) -> None:
        if now < self._first_end:
            return
        for due, message in list(self._leased.values()):
            if due <= now:
                del self._leased[message.id]
                self._again(message._replace(deaths=message.deaths + 1), 0.0, LEASE_OVER)
        self._first_end = min((due for due, _ in self._leased.values()), default=float("inf"))

    def _again(self, message: Message, due: float, reason: str) -> None:
        if message.deliveries >= self.max_deliveries:
            self._give_up(message, reason)
        elif due:
            heapq.heappush(self._delayed, (due, next(self._numbers), message))
        else:
            self._wait_first([message])

    def _wait(self, message: Message) -> None:
        (self._suspects if message.is_suspect else self._waiting).append(message)
        self._changed.set()

    def _wait_first(self, messages: list[Message]) -> None:
        for message in reversed(messages):
            (self._suspects if message.is_suspect else self._waiting).appendleft(message)
        self._changed.set()

    def _give_up(self, message: Message, reason: str) -> None:
        self._dead[message.id] = DeadMessage(message.id, message.body, message.deliveries, reason)

    def _is_leased(self, message: Message) -> bool:
        self._take_back(_now())
        return self._leased.get(message.id, (0, None))[1] == message

    def _let_go(self, message: Message) -> bool:
        if mine := self._is_leased(message):
            del self._leased[message.id]
        return mine

    async def _take_dead(self, ids: tuple[str, ...]) -> list[DeadMessage]:
        await asyncio.sleep(0)
        self._take_back(_now())
        return [self._dead.pop(each) for each in ids or list(self._dead) if each in self._dead]

    def _next_moment(self) -> float:
        return min(self._first_end, self._delayed[0][0] if self._delayed else float("inf"))


def _now() -> float:
    return asyncio.get_running_loop().time()
