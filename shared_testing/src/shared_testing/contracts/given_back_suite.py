"""What becomes of messages that were not done, as tests: given back, given up, tried again. Part of a message queue's
contract (contracts/message_queue_suite.py).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared_testing.contracts.message_queue_under_test import PATIENCE, MessageQueueUnderTest


class GivenBackContract:
    """Played with the rest, to a fixture `message_queue`."""

    # ------------------------------------------------------------ given back, given up

    async def test_what_is_given_back_comes_again(self, message_queue: MessageQueueUnderTest) -> None:
        """To whoever asks next, as the same message, counted; the others are not held up."""
        message_queue.needs_nacks()
        await message_queue.queue.put_many([b"a", b"b"])
        first = await message_queue.one()
        assert await message_queue.queue.nack(first)
        batch = [await message_queue.one(), await message_queue.one()]
        assert sorted((message.body, message.deliveries) for message in batch) == [(b"a", 2), (b"b", 1)]
        assert first.id in [message.id for message in batch]

    async def test_it_may_be_given_back_for_later(self, message_queue: MessageQueueUnderTest) -> None:
        """After so many seconds and not before, which are not those of its lease."""
        delay = message_queue.needs_leases() / 2
        message_queue.needs_nacks()
        now = asyncio.get_running_loop().time
        await message_queue.queue.put_many([b"a"])
        message, began = await message_queue.one(), now()
        assert await message_queue.queue.nack(message, delay=delay)
        assert list(await message_queue.queue.get_batch(1, timeout=0)) == []
        await message_queue.one()
        assert now() - began >= delay * 0.99

    async def test_what_is_done_cannot_be_given_back(self, message_queue: MessageQueueUnderTest) -> None:
        message_queue.needs_leases()
        message_queue.needs_nacks()
        await message_queue.queue.put_many([b"a"])
        message = await message_queue.one()
        await message_queue.queue.ack(message)
        assert not await message_queue.queue.nack(message)
        assert list(await message_queue.queue.get_batch(1, timeout=0)) == []

    async def test_nothing_is_tried_for_ever(self, message_queue: MessageQueueUnderTest) -> None:
        """Given back too often a message is a dead letter, with the last reason; those beside it are done."""
        most = message_queue.needs_dead_letters()
        await message_queue.queue.put_many([b"bad", b"good"])
        for _ in range(most + 1):
            message = await message_queue.one()
            if message.body == b"bad":
                await message_queue.queue.nack(message, reason="it is bad")
            else:
                await message_queue.queue.ack(message)
        assert list(await message_queue.queue.get_batch(1, timeout=0)) == []
        [letter] = await message_queue.queue.dead_letters()
        assert (letter.body, letter.deliveries, letter.reason) == (b"bad", most, "it is bad")

    @pytest.mark.leases_run_out
    async def test_who_dies_of_a_message_is_counted_too(self, message_queue: MessageQueueUnderTest) -> None:
        """Leases that run out are deliveries, or a message that kills its consumer would do so for ever."""
        lease, most = message_queue.needs_leases(), message_queue.needs_dead_letters()
        await message_queue.queue.put_many([b"bad"])
        for delivery in range(1, most + 1):
            assert (await message_queue.one()).deliveries == delivery
        assert list(await message_queue.queue.get_batch(1, timeout=lease * 1.5)) == []
        assert [letter.body for letter in await message_queue.queue.dead_letters()] == [b"bad"]

    @pytest.mark.leases_run_out
    async def test_nobody_has_to_ask_for_more_to_learn_what_died(self, message_queue: MessageQueueUnderTest) -> None:
        """Whoever waits for a message's fate looks at the dead letters, when the last worker may be gone."""
        lease, most = message_queue.needs_leases(), message_queue.needs_dead_letters()
        await message_queue.queue.put_many([b"bad"])
        for _ in range(most):
            await message_queue.one()
        async with asyncio.timeout(PATIENCE + 2 * lease):
            while not (letters := await message_queue.queue.dead_letters()):  # noqa: ASYNC110 - a queue tells nobody
                await asyncio.sleep(lease / 2)
        assert [letter.body for letter in letters] == [b"bad"]

    async def test_the_counts_tell_where_messages_are(self, message_queue: MessageQueueUnderTest) -> None:
        """What is given back for later waits, too."""
        lease, most = message_queue.needs_leases(), message_queue.needs_dead_letters()
        queue = message_queue.queue
        await queue.put_many([b"a", b"b", b"c"])
        assert await message_queue.counts() == (3, 0, 0)
        first, second = await queue.get_batch(2, timeout=PATIENCE)
        assert await message_queue.counts() == (1, 2, 0)
        await queue.ack(first)
        await queue.nack(second, delay=lease / 2)
        assert await message_queue.counts() == (2, 0, 0)
        await queue.ack(await message_queue.one())
        for _ in range(most - 1):
            await queue.nack(await message_queue.one())
        assert await message_queue.counts() == (0, 0, 1)

    # ------------------------------------------------------------ given back undone

    async def test_what_is_released_does_not_count(self, message_queue: MessageQueueUnderTest) -> None:
        """Whoever stops before beginning has not tried: however often, no message is given up for it."""
        message_queue.needs("release")
        await message_queue.queue.put_many([b"a", b"b"])
        for _ in range((message_queue.max_deliveries or 1) + 1):
            batch = await message_queue.taken(2)
            assert sorted((message.body, message.deliveries) for message in batch) == [(b"a", 1), (b"b", 1)]
            assert await message_queue.queue.release(*batch) == 2
        assert sorted(await message_queue.bodies()) == [b"a", b"b"]

    async def test_what_is_done_cannot_be_released(self, message_queue: MessageQueueUnderTest) -> None:
        """How many were still the caller's is said."""
        message_queue.needs("release")
        await message_queue.queue.put_many([b"a", b"b"])
        first, second = await message_queue.taken(2)
        await message_queue.queue.ack(first)
        assert await message_queue.queue.release(first, second) == 1
        assert await message_queue.bodies() == [second.body]

    async def test_who_waits_gets_what_is_released(self, message_queue: MessageQueueUnderTest) -> None:
        message_queue.needs("release")
        await message_queue.queue.put_many([b"a"])
        message = await message_queue.one()
        waiting = asyncio.create_task(message_queue.queue.get_batch(1, timeout=PATIENCE))
        await asyncio.sleep(0.01)
        await message_queue.queue.release(message)
        async with asyncio.timeout(PATIENCE):
            assert [each.body for each in await waiting] == [b"a"]

    async def test_several_leases_can_be_renewed_at_once(self, message_queue: MessageQueueUnderTest) -> None:
        """How many were still the caller's is said."""
        lease = message_queue.needs_leases()
        if not message_queue.renews_many:
            pytest.skip("this queue renews one lease at a time")
        await message_queue.queue.put_many([b"a", b"b", b"c"])
        batch = await message_queue.taken(3)
        await message_queue.queue.ack(batch[0])
        await asyncio.sleep(lease * 0.6)
        assert await message_queue.queue.renew(*batch) == 2
        await asyncio.sleep(lease * 0.6)
        assert list(await message_queue.queue.get_batch(1, timeout=0)) == []
        assert await message_queue.queue.ack(*batch) == 2

    # ------------------------------------------------------------ dead letters

    async def test_what_is_buried_is_a_dead_letter(self, message_queue: MessageQueueUnderTest) -> None:
        """At once, with its reason; once, and only by who has it."""
        message_queue.needs("bury", "dead_letters")
        await message_queue.queue.put_many([b"bad", b"good"])
        bad, good = await message_queue.taken(2)
        await message_queue.queue.ack(good)
        assert await message_queue.queue.bury(bad, "it is bad")
        assert not await message_queue.queue.bury(bad, "again")
        assert not await message_queue.queue.bury(good, "done already")
        assert await message_queue.counts() == (0, 0, 1)
        [letter] = await message_queue.queue.dead_letters()
        assert (letter.id, letter.body, letter.deliveries, letter.reason) == (bad.id, b"bad", 1, "it is bad")

    async def test_the_oldest_dead_letters_come_first(self, message_queue: MessageQueueUnderTest) -> None:
        """In the order in which they were given up, as many as are asked for."""
        message_queue.needs("bury", "dead_letters")
        await self._bury(message_queue, b"c", b"a", b"b")
        letters = await message_queue.queue.dead_letters()
        assert [letter.body for letter in letters] == [b"c", b"a", b"b"]
        assert [letter.body for letter in await message_queue.queue.dead_letters(limit=2)] == [b"c", b"a"]

    async def test_dead_letters_can_be_tried_again(self, message_queue: MessageQueueUnderTest) -> None:
        """As the same messages, with nothing counted."""
        message_queue.needs("bury", "retry_dead")
        ids = await self._bury(message_queue, b"a", b"b")
        assert await message_queue.queue.retry_dead() == 2
        assert await message_queue.queue.retry_dead() == 0
        assert await message_queue.counts() == (2, 0, 0)
        batch = await message_queue.taken(2)
        assert sorted((each.id, each.body, each.deliveries) for each in batch) == sorted(
            (id_, body, 1) for id_, body in zip(ids, (b"a", b"b"), strict=True)
        )

    async def test_dead_letters_can_be_tried_again_one_by_one(self, message_queue: MessageQueueUnderTest) -> None:
        """An id that is not among them counts for nothing."""
        message_queue.needs("bury", "retry_dead")
        ids = await self._bury(message_queue, b"a", b"b", b"c")
        assert await message_queue.queue.retry_dead(ids[1], "no such id") == 1
        assert await message_queue.queue.retry_dead(ids[1]) == 0
        assert await message_queue.counts() == (1, 0, 2)
        assert (await message_queue.one()).body == b"b"

    async def test_who_waits_gets_what_is_tried_again(self, message_queue: MessageQueueUnderTest) -> None:
        message_queue.needs("bury", "retry_dead")
        await self._bury(message_queue, b"a")
        waiting = asyncio.create_task(message_queue.queue.get_batch(1, timeout=PATIENCE))
        await asyncio.sleep(0.01)
        await message_queue.queue.retry_dead()
        async with asyncio.timeout(PATIENCE):
            assert [each.body for each in await waiting] == [b"a"]

    async def test_dead_letters_can_be_forgotten(self, message_queue: MessageQueueUnderTest) -> None:
        """One by one, or all."""
        message_queue.needs("bury", "drop_dead")
        ids = await self._bury(message_queue, b"a", b"b", b"c")
        assert await message_queue.queue.drop_dead(ids[0], "no such id") == 1
        assert [letter.body for letter in await message_queue.queue.dead_letters()] == [b"b", b"c"]
        assert await message_queue.queue.drop_dead() == 2
        assert await message_queue.counts() == (0, 0, 0)

    async def _bury(self, message_queue: MessageQueueUnderTest, *bodies: bytes) -> list[str]:
        """Put, and given up in this order; their ids."""
        ids = []
        for body in bodies:
            await message_queue.queue.put_many([body])
            message = await message_queue.one()
            assert await message_queue.queue.bury(message, "buried")
            ids.append(message.id)
        return ids

    # ------------------------------------------------------------ poison, and neighbours

    async def test_a_suspect_comes_alone(self, message_queue: MessageQueueUnderTest) -> None:
        """Two workers have died of it, or beside it: no third one is to have others with it."""
        lease = message_queue.needs_leases()
        if message_queue.needs_dead_letters() < 3:
            pytest.skip("this queue gives up before it suspects")
        await message_queue.queue.put_many([b"poison"])
        first = await message_queue.one()
        if not hasattr(first, "deaths"):
            pytest.skip("this queue does not count deaths")
        assert (first.deaths, (await message_queue.one()).deaths) == (0, 1)
        await message_queue.queue.put_many([b"a", b"b"])
        await asyncio.sleep(lease * 1.2)
        batches: list[list[Any]] = []
        while sum(map(len, batches)) < 3:
            batches.append(await message_queue.queue.get_batch(10, timeout=PATIENCE))
            await message_queue.queue.ack(*batches[-1])
        [suspect] = [each for batch in batches for each in batch if each.is_suspect]
        assert (suspect.body, suspect.deaths, suspect.deliveries) == (b"poison", 2, 3)
        assert [suspect] in batches

    # ------------------------------------------------------------ several queues in one place

    async def test_queues_do_not_see_each_others_messages(self, message_queue: MessageQueueUnderTest) -> None:
        message_queue.needs("named", "counts", "bury")
        queue, other = message_queue.queue, message_queue.queue.named("other")
        await other.put_many([b"theirs", b"theirs, dead"])
        assert list(await queue.get_batch(10, timeout=0)) == []
        await queue.put_many([b"ours"])
        theirs, dead = await other.get_batch(10, timeout=PATIENCE)
        await other.bury(dead, "bad")
        assert await message_queue.counts() == (1, 0, 0)
        assert tuple(await other.counts()) == (0, 1, 1)
        assert await queue.ack(theirs) == 0
        assert await queue.retry_dead() == 0
        assert await queue.drop_dead(dead.id) == 0
        assert await message_queue.bodies() == [b"ours"]
        assert await other.ack(theirs) == 1

    async def test_a_name_is_always_the_same_queue(self, message_queue: MessageQueueUnderTest) -> None:
        message_queue.needs("named")
        await message_queue.queue.named("other").put_many([b"a"])
        batch = await message_queue.queue.named("other").get_batch(1, timeout=PATIENCE)
        assert [message.body for message in batch] == [b"a"]

    # ------------------------------------------------------------ taken back by who put it

    async def test_what_nobody_has_begun_with_can_be_taken_back(self, message_queue: MessageQueueUnderTest) -> None:
        """And what somebody has in work cannot, nor what is not there."""
        message_queue.needs("withdraw")
        queue = message_queue.queue
        begun, first, second, kept = await queue.put_many([b"begun", b"first", b"second", b"kept"])
        message = await message_queue.one()
        assert message.id == begun
        assert await queue.withdraw(begun, first, second, "no id") == 2
        assert await queue.withdraw(first) == 0
        assert [each.id for each in await queue.get_batch(10, timeout=PATIENCE)] == [kept]
        assert await queue.ack(message) == 1
