"""A message queue's promises as tests, for whoever has one: in memory, on a disk, on a server.

One fixture, and they run::

    class TestMyQueue(MessageQueueContract):
        @pytest_asyncio.fixture
        async def message_queue(self):
            async with MyQueue(lease=1) as queue:
                yield MessageQueueUnderTest(queue, lease=1, max_deliveries=3)

The queue is empty and nobody else's. Its leases are as short as a busy machine allows; under the marker
``virtual_time``, for a queue that lives on the event loop, of any length. A test with the marker ``leases_run_out``
does nothing that must be in time: for it they may be shorter still. In strict mode the class needs
``@pytest.mark.asyncio``. What a queue has not, as it says or as it has no such method, is skipped. What becomes of
messages that were not done is in given_back_suite.py.
"""

from __future__ import annotations

import asyncio

from shared_testing.contracts.given_back_suite import GivenBackContract
from shared_testing.contracts.message_queue_under_test import (
    PATIENCE,
    Message,
    MessageQueue,
    MessageQueueUnderTest,
)

__all__ = ["Message", "MessageQueue", "MessageQueueContract", "MessageQueueUnderTest"]

_AWKWARD = [b"", b"\0", b"\xff\xfe\r\n", b"None", b'{"id": 1}', b"x" * 1_000_000]


class MessageQueueContract(GivenBackContract):
    """Play it to a queue by a fixture `message_queue`."""

    # ------------------------------------------------------------ put and get

    async def test_messages_come_in_the_order_of_putting(self, message_queue: MessageQueueUnderTest) -> None:
        queue = message_queue.queue
        await queue.put_many([b"a", b"b"])
        await queue.put_many([b"c"])
        assert await message_queue.bodies(limit=2) == [b"a", b"b", b"c"]

    async def test_bodies_come_as_they_were_put(self, message_queue: MessageQueueUnderTest) -> None:
        await message_queue.queue.put_many(_AWKWARD)
        assert await message_queue.bodies() == _AWKWARD

    async def test_equal_bodies_are_several_messages(self, message_queue: MessageQueueUnderTest) -> None:
        ids = await message_queue.queue.put_many([b"same"] * 3)
        assert len(set(ids)) == 3
        batch = await message_queue.queue.get_batch(10, timeout=PATIENCE)
        assert [message.id for message in batch] == list(ids)

    async def test_nothing_may_be_put(self, message_queue: MessageQueueUnderTest) -> None:
        assert list(await message_queue.queue.put_many([])) == []
        assert await message_queue.queue.get_batch(1, timeout=0) == []

    async def test_a_batch_is_no_longer_than_its_limit(self, message_queue: MessageQueueUnderTest) -> None:
        await message_queue.queue.put_many([b"a", b"b", b"c"])
        assert [len(await message_queue.queue.get_batch(2, timeout=0)) for _ in range(3)] == [2, 1, 0]

    async def test_a_batch_does_not_wait_to_be_full(self, message_queue: MessageQueueUnderTest) -> None:
        await message_queue.queue.put_many([b"a"])
        async with asyncio.timeout(PATIENCE):
            batch = await message_queue.queue.get_batch(10, timeout=None)
        assert [message.body for message in batch] == [b"a"]

    async def test_who_waits_gets_what_is_put(self, message_queue: MessageQueueUnderTest) -> None:
        waiting = asyncio.create_task(message_queue.queue.get_batch(10, timeout=None))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await message_queue.queue.put_many([b"late"])
        async with asyncio.timeout(PATIENCE):
            assert [message.body for message in await waiting] == [b"late"]

    async def test_an_empty_queue_is_waited_for_as_long_as_was_said(self, message_queue: MessageQueueUnderTest) -> None:
        now = asyncio.get_running_loop().time
        began = now()
        assert list(await message_queue.queue.get_batch(1, timeout=0.05)) == []
        # Servers count in milliseconds.
        assert now() - began >= 0.049

    async def test_a_message_has_one_consumer(self, message_queue: MessageQueueUnderTest) -> None:
        """However many take at once."""
        numbers = [b"%d" % number for number in range(50)]
        takers = [asyncio.create_task(message_queue.bodies(limit=3, timeout=0.2)) for _ in range(4)]
        await message_queue.queue.put_many(numbers)
        taken = [body for each in await asyncio.gather(*takers) for body in each]
        assert sorted(taken) == sorted(numbers)

    async def test_a_cancelled_get_loses_nothing(self, message_queue: MessageQueueUnderTest) -> None:
        """Wherever it is cancelled, whether something has come by then or not."""
        queue, numbers = message_queue.queue, [b"%d" % turns for turns in range(12)]
        seen: list[bytes] = []
        for turns, body in enumerate(numbers):
            waiting = asyncio.create_task(queue.get_batch(1, timeout=None))
            for _ in range(turns % 4):
                await asyncio.sleep(0)
            await queue.put_many([body])
            for _ in range(turns // 4):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                seen += [message.body for message in waiting.result()]
                await queue.ack(*waiting.result())
        # What was on its way to the one that was cancelled may need its lease to run out.
        while missing := {*numbers} - {*seen}:
            batch = await queue.get_batch(len(numbers), timeout=PATIENCE + (message_queue.lease or 0))
            assert batch, f"lost: {missing}"
            seen += [message.body for message in batch]
            await queue.ack(*batch)
        assert sorted({*seen, *await message_queue.bodies()}) == sorted(numbers)

    # ------------------------------------------------------------ acknowledged, or not

    async def test_a_message_in_work_is_nobody_elses(self, message_queue: MessageQueueUnderTest) -> None:
        await message_queue.queue.put_many([b"a"])
        await message_queue.one()
        assert list(await message_queue.queue.get_batch(1, timeout=0)) == []

    async def test_what_is_done_is_done_once(self, message_queue: MessageQueueUnderTest) -> None:
        """A second acknowledgement is no error, and counts for nothing."""
        lease = message_queue.needs_leases()
        await message_queue.queue.put_many([b"a", b"b"])
        batch = await message_queue.queue.get_batch(2, timeout=PATIENCE)
        assert await message_queue.queue.ack(*batch) == 2
        assert await message_queue.queue.ack(*batch) == 0
        assert list(await message_queue.queue.get_batch(1, timeout=lease * 1.5)) == []

    async def test_what_is_not_done_comes_back(self, message_queue: MessageQueueUnderTest) -> None:
        """When its lease has run out and not before, as the same message, counted."""
        lease = message_queue.needs_leases()
        await message_queue.queue.put_many([b"a"])
        first = await message_queue.one()
        assert list(await message_queue.queue.get_batch(1, timeout=lease / 2)) == []
        again = await message_queue.one()
        assert (again.id, again.body) == (first.id, first.body)
        assert (first.deliveries, again.deliveries) == (1, 2)

    async def test_a_lease_can_be_renewed(self, message_queue: MessageQueueUnderTest) -> None:
        """As often as it takes."""
        lease = message_queue.needs_leases()
        await message_queue.queue.put_many([b"a"])
        message = await message_queue.one()
        for _ in range(3):
            await asyncio.sleep(lease * 0.6)
            assert await message_queue.queue.renew(message)
        assert list(await message_queue.queue.get_batch(1, timeout=0)) == []
        assert await message_queue.queue.ack(message) == 1

    async def test_who_was_too_late_has_no_say(self, message_queue: MessageQueueUnderTest) -> None:
        """The message is another's by then."""
        message_queue.needs_leases()
        await message_queue.queue.put_many([b"a"])
        late, current = await message_queue.one(), await message_queue.one()
        assert not await message_queue.queue.renew(late)
        assert await message_queue.queue.ack(late) == 0
        if message_queue.nacks:
            assert not await message_queue.queue.nack(late)
        assert await message_queue.queue.ack(current) == 1
