"""A message queue in memory, with what goes wrong on a real one.

At-least-once, as queues between machines are: a message is leased, and comes back if nobody acknowledges it in time.
All its time is the event loop's, so that under the virtual clock a lease of a minute takes no time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from shared_testing.loop.suspension import outside

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

Operation = Literal["put_many", "get_batch", "ack", "nack", "renew"]


@dataclass(frozen=True, slots=True)
class Message(Generic[T]):
    """One delivery of what was put."""

    id: str
    """The same at each delivery."""
    body: T
    deliveries: int
    """How often it was handed out, this time included."""


@dataclass(frozen=True, slots=True)
class DeadLetter(Generic[T]):
    """A message that was given up."""

    id: str
    body: T
    deliveries: int
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages are where."""

    waiting: int
    """Now, or after a delay."""
    in_flight: int
    dead: int


class QueueBuilders:
    """The fixture ``queues``: ``queues.of("a", "b")``."""

    def of(self, *bodies: T, lease: float = 30, max_deliveries: int = 3) -> ScriptedQueue[T]:
        """A queue with these messages in it, in this order.

        `lease`: seconds until a message that is neither acknowledged nor renewed comes back. `max_deliveries`: after
        so many it is a dead letter.
        """
        queue = ScriptedQueue[T](lease, max_deliveries)
        for body in bodies:
            queue._add(body)
        return queue


class ScriptedQueue(Generic[T]):
    """A queue in memory. What is to go wrong is said first, and each method that says it returns the queue:
    ``queues.of("a", "b", "c").redelivers("a").poison("c").slow(ack=2)``."""

    def __init__(self, lease: float = 30, max_deliveries: int = 3) -> None:
        self._lease = lease
        self._most = max_deliveries
        self._numbers = itertools.count(1)
        self._waiting: list[tuple[float, int, Message[T]]] = []
        self._leased: dict[str, tuple[float, Message[T]]] = {}
        self._changed = asyncio.Event()
        self._acks_lost: list[tuple[T, float]] = []
        self._copies: list[T] = []
        self._poison: list[T] = []
        self._slow: dict[str, float] = {}
        self._failures: dict[str, list[BaseException | type[BaseException]]] = {}
        self._order: random.Random | None = None
        self.delivered: list[T] = []
        """Each body that was handed out, in order, once per delivery."""
        self.acknowledged: list[T] = []
        self.dead: list[DeadLetter[T]] = []
        self.calls: Counter[str] = Counter()
        """How often each operation was called."""

    def __repr__(self) -> str:
        return (
            f"<queue: {len(self._waiting)} waiting, {len(self._leased)} in flight, {len(self.dead)} dead, "
            f"{len(self.acknowledged)} acknowledged>"
        )

    # ------------------------------------------------------------ what goes wrong

    def redelivers(self, body: T, times: int = 1, after: float = 0) -> ScriptedQueue[T]:
        """Its next acknowledgements are lost: it comes back `after` seconds later, with the same id."""
        self._acks_lost += [(body, after)] * times
        return self

    def duplicates(self, body: T, times: int = 1) -> ScriptedQueue[T]:
        """It is handed out `times` times more than it should be, at once: two consumers may have it."""
        self._copies += [body] * times
        return self

    def poison(self, body: T) -> ScriptedQueue[T]:
        """It kills whoever takes it: no acknowledgement comes through, until it is a dead letter."""
        self._poison.append(body)
        return self

    def slow(self, **seconds: float) -> ScriptedQueue[T]:
        """Operations that take their time: ``slow(put_many=1, get_batch=0.5, ack=2)``."""
        self._slow |= {_operation(name): each for name, each in seconds.items()}
        return self

    def fails(
        self, operation: Operation, error: BaseException | type[BaseException], times: int = 1
    ) -> ScriptedQueue[T]:
        """The next `times` calls of the operation raise `error`, and change nothing."""
        self._failures.setdefault(_operation(operation), []).extend([error] * times)
        return self

    def shuffled(self, seed: int = 0) -> ScriptedQueue[T]:
        """Messages are handed out in another order than they were put; the same one for the same seed."""
        self._order = random.Random(seed)  # noqa: S311 - a test's order, and no secret
        return self

    # ------------------------------------------------------------ the queue

    async def put_many(self, bodies: Iterable[T]) -> list[str]:
        """Put messages; their ids."""
        await self._begin("put_many")
        return [self._add(body).id for body in bodies]

    async def get_batch(self, limit: int, timeout: float | None = None) -> list[Message[T]]:
        """Up to `limit` messages, as soon as there is one; none after `timeout` seconds. Cancelled, it takes none."""
        await self._begin("get_batch")
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout if timeout is not None else float("inf")
        while True:
            self._take_back(loop.time())
            if batch := self._handed_out(limit, loop.time()):
                return batch
            until = min(end, self._next_moment())
            if loop.time() >= end:
                return []
            self._changed.clear()
            try:
                async with asyncio.timeout_at(until if until != float("inf") else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def ack(self, *messages: Message[T]) -> int:
        """Done with them; how many were still leased to the caller."""
        await self._begin("ack")
        return sum(self._acknowledge(each) for each in messages)

    async def nack(self, message: Message[T], delay: float = 0, reason: str = "") -> bool:
        """Hand it out again, `delay` seconds from now; or give it up if that was its last delivery."""
        await self._begin("nack")
        if not self._is_leased(message):
            return False
        del self._leased[message.id]
        self._again(message, _now() + delay, reason or "nack")
        return True

    async def renew(self, message: Message[T]) -> bool:
        """Begin its lease anew; False if it had run out."""
        await self._begin("renew")
        if not self._is_leased(message):
            return False
        self._leased[message.id] = (_now() + self._lease, message)
        return True

    async def dead_letters(self) -> list[DeadLetter[T]]:
        """What was given up, the oldest first."""
        self._take_back(_now())
        return list(self.dead)

    async def counts(self) -> Counts:
        """How many messages are where."""
        self._take_back(_now())
        return Counts(len(self._waiting), len(self._leased), len(self.dead))

    # ------------------------------------------------------------ inside

    async def _begin(self, operation: Operation) -> None:
        self.calls[operation] += 1
        # One turn at least, as over a network: else races would hide.
        if seconds := self._slow.get(operation, 0):
            await asyncio.sleep(seconds)
        else:
            await outside()
        if failures := self._failures.get(operation):
            raise failures.pop(0)

    def _add(self, body: T) -> Message[T]:
        number = next(self._numbers)
        message = Message(f"m{number}", body, 0)
        self._wait(message, 0, number)
        return message

    def _wait(self, message: Message[T], due: float, number: int | None = None) -> None:
        heapq.heappush(self._waiting, (due, number or next(self._numbers), message))
        self._changed.set()

    def _handed_out(self, limit: int, now: float) -> list[Message[T]]:
        due = [each for each in sorted(self._waiting, key=_place) if each[0] <= now]
        if self._order is not None:
            self._order.shuffle(due)
        batch = []
        for entry in due[:limit]:
            self._waiting.remove(entry)
            message = Message(entry[2].id, entry[2].body, entry[2].deliveries + 1)
            self._leased[message.id] = (now + self._lease, message)
            self.delivered.append(message.body)
            batch.append(message)
            if message.body in self._copies:
                self._copies.remove(message.body)
                self.delivered.append(message.body)
                batch.append(message)
        heapq.heapify(self._waiting)
        return batch

    def _take_back(self, now: float) -> None:
        for due, message in list(self._leased.values()):
            if due <= now:
                del self._leased[message.id]
                self._again(message, now, "its lease ran out")

    def _again(self, message: Message[T], due: float, reason: str) -> None:
        if message.deliveries >= self._most:
            self.dead.append(DeadLetter(message.id, message.body, message.deliveries, reason))
        else:
            self._wait(message, due)

    def _next_moment(self) -> float:
        return min(
            [*(due for due, *_ in self._waiting), *(due for due, _ in self._leased.values())], default=float("inf")
        )

    def _is_leased(self, message: Message[T]) -> bool:
        self._take_back(_now())
        return self._leased.get(message.id, (0, None))[1] == message

    def _acknowledge(self, message: Message[T]) -> bool:
        if message.body in self._poison or not self._is_leased(message):
            return False
        del self._leased[message.id]
        lost = next((each for each in self._acks_lost if each[0] == message.body), None)
        if lost is not None:
            self._acks_lost.remove(lost)
            self._wait(message, _now() + lost[1])
        else:
            self.acknowledged.append(message.body)
        return True


def _place(entry: tuple[float, int, Any]) -> tuple[float, int]:
    return entry[:2]


def _now() -> float:
    return asyncio.get_running_loop().time()


def _operation(name: str) -> str:
    if name not in Operation.__args__:  # type: ignore[attr-defined]
        raise TypeError(f"{name!r} is no operation of a queue; they are {', '.join(Operation.__args__)}")  # type: ignore[attr-defined]
    return name
