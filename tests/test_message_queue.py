"""The message queue's contract, played to the builder and to what queue-processor hands its items out by.

The queues in a file and on a server take real time, and are held to it in their package's own suite.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from queue_processor import ItemQueue, MemoryQueue, QueueProcessor
from queue_processor.channel import Channel, Delivery
from queue_processor.sources import feed
from shared_testing import QueueBuilders
from shared_testing.contracts.message_queue_suite import MessageQueueContract, MessageQueueUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from shared_testing.builders.queues import Message

    RunSuite = Callable[..., pytest.RunResult]


class Taken(NamedTuple):
    """What was taken out of a queue that hands out bare items."""

    id: str
    body: bytes
    deliveries: int = 1


class Items:
    """``processor.queue``: asyncio.Queue's shape, so one item at a time and without a name."""

    def __init__(self, queue: ItemQueue[bytes]) -> None:
        self._queue = queue
        self._put = self._got = 0

    async def put_many(self, bodies: Iterable[bytes]) -> list[str]:
        ids = []
        for body in bodies:
            await self._queue.put(body)
            self._put += 1
            ids.append(str(self._put))
        return ids

    async def get_batch(self, limit: int, timeout: float | None = None) -> list[Taken]:
        batch = [self._queue.get_nowait() for _ in range(min(limit, self._queue.qsize()))]
        if not batch and timeout != 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    batch = [await self._queue.get()]
        first, self._got = self._got + 1, self._got + len(batch)
        return [Taken(str(number), body) for number, body in enumerate(batch, first)]

    async def ack(self, *messages: Taken) -> int:
        for _ in messages:
            self._queue.task_done()
        return len(messages)


class Source:
    """The channel behind it, fed from an iterable: what is taken can be given back."""

    stopping = False

    def __init__(self, channel: Channel[bytes], read: Callable[[Iterable[bytes]], Any]) -> None:
        self._channel = channel
        self._read = read
        self._accepted = 0

    async def put_many(self, bodies: Iterable[bytes]) -> list[str]:
        bodies = list(bodies)
        await feed(self._channel, self._read(bodies))
        first, self._accepted = self._accepted, self._accepted + len(bodies)
        return [str(number) for number in range(first, self._accepted)]

    async def get_batch(self, limit: int, timeout: float | None = None) -> list[Delivered]:
        batch: list[Delivery[bytes]] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self._channel.waiting else timeout):
                while len(batch) < limit and (self._channel.waiting or not batch):
                    delivery = await self._channel.take(self)
                    assert delivery is not None
                    batch.append(delivery)
        return [Delivered(str(each.number), each.item, each.handed_back + 1, each) for each in batch]

    async def ack(self, *messages: Delivered) -> int:
        for _ in messages:
            self._channel.ack()
        return len(messages)

    async def nack(self, message: Delivered) -> bool:
        self._channel.nack(message.delivery)
        return True


class Delivered(NamedTuple):
    id: str
    body: bytes
    deliveries: int
    delivery: Delivery[bytes]


async def one_by_one(bodies: Iterable[bytes]) -> AsyncIterator[bytes]:
    for body in bodies:
        await asyncio.sleep(0)
        yield body


async def _handle(_: bytes) -> None:
    """Of a processor whose items others take."""


QUEUES: dict[str, Callable[[], MessageQueueUnderTest]] = {
    "builder": lambda: MessageQueueUnderTest(QueueBuilders().of(lease=60, max_deliveries=3), 60, 3, renews_many=False),
    "memory": lambda: MessageQueueUnderTest(MemoryQueue(lease=60, max_deliveries=3), 60, 3),
    "item queue": lambda: MessageQueueUnderTest(Items(QueueProcessor(_handle, maxsize=100).queue), nacks=False),
    "iterable": lambda: MessageQueueUnderTest(Source(Channel(100), iter)),
    "async iterable": lambda: MessageQueueUnderTest(Source(Channel(100), one_by_one)),
}


@pytest.mark.virtual_time
class TestMessageQueue(MessageQueueContract):
    """Of those that live on the event loop, where a minute's lease takes no time."""

    @pytest.fixture(params=[*QUEUES.values()], ids=[*QUEUES])
    def message_queue(self, request: pytest.FixtureRequest) -> MessageQueueUnderTest:
        under_test: MessageQueueUnderTest = request.param()
        return under_test


@pytest.mark.virtual_time
async def test_a_processor_on_a_queue_that_redelivers(queues: QueueBuilders) -> None:
    """Acknowledged when it is done: what comes twice is done twice, what kills its consumer takes nobody with it."""
    queue = queues.of("a", "bad", "b", lease=60, max_deliveries=2).redelivers("a").poison("bad")
    done: list[str] = []

    async def messages() -> AsyncIterator[Message[str]]:
        while batch := await queue.get_batch(2, timeout=300):
            for message in batch:
                yield message

    async def handle(message: Message[str]) -> None:
        done.append(message.body)
        await queue.ack(message)

    await QueueProcessor(handle).process_all(messages())
    assert sorted(done) == ["a", "a", "b", "bad", "bad"]
    assert sorted(queue.acknowledged) == ["a", "b"]
    assert [letter.body for letter in await queue.dead_letters()] == ["bad"]


def test_a_strangers_queue_is_held_to_it_by_one_fixture(run_suite: RunSuite) -> None:
    """asyncio's own queue keeps what it has; one that hands out the last first is found out."""
    result = run_suite(
        """
        import asyncio
        from collections import namedtuple
        import pytest
        from shared_testing.contracts.message_queue_suite import MessageQueueContract, MessageQueueUnderTest

        Message = namedtuple("Message", "id body")

        class MyQueue:
            def __init__(self, kind):
                self.queue, self.ids = kind(), 0

            async def put_many(self, bodies):
                return [self.put(body) for body in bodies]

            def put(self, body):
                self.ids += 1
                self.queue.put_nowait(Message(self.ids, body))
                return self.ids

            async def get_batch(self, limit, timeout=None):
                try:
                    async with asyncio.timeout(timeout):
                        batch = [await self.queue.get()]
                except TimeoutError:
                    return []
                while len(batch) < limit and not self.queue.empty():
                    batch.append(self.queue.get_nowait())
                return batch

            async def ack(self, *messages):
                return len(messages)

        @pytest.mark.virtual_time
        class TestMyQueue(MessageQueueContract):
            @pytest.fixture(params=[asyncio.Queue, asyncio.LifoQueue])
            def message_queue(self, request):
                return MessageQueueUnderTest(MyQueue(request.param), nacks=False)
        """
    )
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed", "failed", "skipped"}
    failed = [line for line in result.outlines if line.startswith("FAILED")]
    assert failed
    assert all("[LifoQueue]" in line for line in failed)
