"""The queue builder: a queue that works, and what goes wrong with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.builders.queues import Counts, QueueBuilders, ScriptedQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import VirtualClock


async def drain(queue: ScriptedQueue[Any], limit: int = 10) -> list[Any]:
    """What a consumer sees that acknowledges everything, until nothing comes for two minutes."""
    seen = []
    while batch := await queue.get_batch(limit, timeout=120):
        seen += [message.body for message in batch]
        await queue.ack(*batch)
    return seen


async def test_messages_come_in_order_and_once(queues: QueueBuilders, virtual_clock: VirtualClock) -> None:
    """What is acknowledged is gone."""
    queue = queues.of("a", "b")
    assert await queue.put_many(["c"]) == ["m3"]
    assert await drain(queue, limit=2) == ["a", "b", "c"]
    assert queue.acknowledged == queue.delivered == ["a", "b", "c"]
    assert await queue.counts() == Counts(0, 0, 0)
    assert repr(queue) == "<queue: 0 waiting, 0 in flight, 0 dead, 3 acknowledged>"


async def test_an_empty_queue_waits(
    queues: QueueBuilders, virtual_clock: VirtualClock, settle: Callable[[], Awaitable[None]]
) -> None:
    """For its timeout, or until something is put; a get that is cancelled takes nothing."""
    queue = queues.of("a")
    await queue.ack(*await queue.get_batch(1))
    assert await queue.get_batch(1, timeout=5) == []
    assert virtual_clock.now == 5
    first, second = (asyncio.create_task(queue.get_batch(1)) for _ in range(2))
    await settle()
    first.cancel()
    await queue.put_many(["b"])
    assert [message.body for message in await second] == ["b"]


async def test_a_lease_runs_out_unless_it_is_renewed(queues: QueueBuilders, virtual_clock: VirtualClock) -> None:
    """Then the message comes back, with the same id and a higher count; who had it has it no more."""
    queue = queues.of("a", lease=10)
    [message] = await queue.get_batch(1)
    await virtual_clock.advance(9)
    assert await queue.renew(message)
    assert await queue.get_batch(1, timeout=5) == []
    [again] = await queue.get_batch(1)
    assert virtual_clock.now == 19
    assert (again.id, again.deliveries) == (message.id, 2)
    assert not await queue.renew(message)
    assert not await queue.nack(message)
    assert await queue.ack(message) == 0
    assert await queue.ack(again) == 1


async def test_a_message_may_be_given_back(queues: QueueBuilders, virtual_clock: VirtualClock) -> None:
    """After a delay, and not for ever: then it is a dead letter, with the reason."""
    queue = queues.of("a", max_deliveries=2)
    [message] = await queue.get_batch(1)
    assert await queue.nack(message, delay=7)
    assert await queue.counts() == Counts(waiting=1, in_flight=0, dead=0)
    [message] = await queue.get_batch(1)
    assert virtual_clock.now == 7
    assert await queue.nack(message, reason="no such user")
    [letter] = await queue.dead_letters()
    assert (letter.body, letter.deliveries, letter.reason) == ("a", 2, "no such user")
    assert await queue.counts() == Counts(waiting=0, in_flight=0, dead=1)


async def test_a_lost_acknowledgement(queues: QueueBuilders, virtual_clock: VirtualClock) -> None:
    """The work was done, and comes again."""
    assert await drain(queues.of("a", "b").redelivers("a", after=5)) == ["a", "b", "a"]
    assert virtual_clock.now == 125


async def test_a_duplicate(queues: QueueBuilders, virtual_clock: VirtualClock) -> None:
    """The same message twice in one batch, with one id."""
    queue = queues.of("a", "b").duplicates("a")
    batch = await queue.get_batch(10)
    assert [(message.id, message.body) for message in batch] == [("m1", "a"), ("m1", "a"), ("m2", "b")]
    assert await queue.ack(*batch) == 2


async def test_poison(queues: QueueBuilders, virtual_clock: VirtualClock) -> None:
    """Whoever takes it dies of it; at last it is a dead letter, and its neighbours are done."""
    queue = queues.of("a", "bad", "b").poison("bad")
    assert await drain(queue) == ["a", "bad", "b", "bad", "bad"]
    assert [(letter.body, letter.reason) for letter in queue.dead] == [("bad", "its lease ran out")]
    assert queue.acknowledged == ["a", "b"]


async def test_another_order(queues: QueueBuilders, virtual_clock: VirtualClock) -> None:
    """The same one for a seed, and all of them."""
    first, second = [await drain(queues.of(*"abcdef").shuffled(seed=3)) for _ in range(2)]
    assert first == second != list("abcdef")
    assert sorted(first) == list("abcdef")


async def test_slow_and_failing_operations(queues: QueueBuilders, virtual_clock: VirtualClock) -> None:
    """Each by name; what fails has changed nothing."""
    queue = queues.of("a").slow(put_many=2, get_batch=3).fails("ack", ConnectionError("gone"))
    await queue.put_many(["b"])
    [message] = await queue.get_batch(1)
    assert virtual_clock.now == 5
    with pytest.raises(ConnectionError, match="gone"):
        await queue.ack(message)
    assert await queue.ack(message) == 1
    assert queue.calls == {"put_many": 1, "get_batch": 1, "ack": 2}
    with pytest.raises(TypeError, match="'put' is no operation of a queue"):
        queue.slow(put=1)
