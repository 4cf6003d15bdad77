"""RedisQueue on a real server: what the contract of message queues does not say. That one is played in tests/."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from queue_processor import Counts, QueueClosed, QueueUnavailable, RedisQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from queue_processor import Message
    from shared_testing.builders.redis_server import RedisServer
    from shared_testing.builders.tcp_proxy import TcpProxy

    Before = Callable[[str], Awaitable[TcpProxy]]

_T = TypeVar("_T")

# Seconds. The short lease is for those who wait for its end, the long one ends in no test.
SHORT, LONG = 0.3, 600
BOUND = 30
STREAM = "asyncworks:{default}"


@pytest_asyncio.fixture
async def queue(redis_url: str) -> AsyncIterator[RedisQueue]:
    async with RedisQueue(redis_url, lease=LONG, max_deliveries=3) as queue:
        yield queue


@pytest_asyncio.fixture
async def raw(redis_url: str) -> AsyncIterator[Any]:
    """The server, as others see it."""
    client = Redis.from_url(redis_url, decode_responses=True, protocol=2)
    yield client
    await client.aclose()


async def some(queue: RedisQueue, limit: int = 10) -> list[Message]:
    """What has to come, within any machine's time."""
    batch = await queue.get_batch(limit, timeout=BOUND)
    assert batch
    return batch


async def drained(queue: RedisQueue) -> list[bytes]:
    """What a worker sees that tries again when the server is away."""
    seen: list[bytes] = []
    async with asyncio.timeout(BOUND):
        while await again(queue.counts) != (0, 0, 0):
            batch = await again(lambda: queue.get_batch(10, timeout=0.1))
            seen += [message.body for message in batch]
            await again(lambda: queue.ack(*batch))  # noqa: B023
    return seen


async def again(call: Callable[[], Awaitable[_T]]) -> _T:
    while True:
        try:
            return await call()
        except QueueUnavailable:
            await asyncio.sleep(0.02)


# ------------------------------------------------------------ leases


async def test_who_waits_takes_over_what_another_one_died_of(redis_url: str) -> None:
    """Though nothing new is put: the leases are looked at while it waits."""
    async with RedisQueue(redis_url, lease=SHORT) as dying, RedisQueue(redis_url, lease=SHORT) as waiting:
        await dying.put_many([b"a"])
        [first] = await some(dying)
        [message] = await some(waiting)
        assert message == first._replace(deliveries=2, deaths=1)
        assert await dying.ack(first) == 0
        assert await waiting.ack(message) == 1


async def test_a_message_that_was_died_of_twice_comes_alone(redis_url: str) -> None:
    """Before the others, until it is done or dead; a failure does not clear it of the suspicion."""
    async with RedisQueue(redis_url, lease=SHORT, max_deliveries=9) as queue:
        await queue.put_many([b"bad"])
        for _ in range(2):
            await some(queue)
        await asyncio.sleep(SHORT * 1.2)
        await queue.put_many([b"good"])
        [suspect] = await some(queue)
        assert (suspect.body, suspect.deaths, suspect.is_suspect) == (b"bad", 2, True)
        assert await queue.nack(suspect)
        [suspect] = await some(queue)
        assert (suspect.body, suspect.deliveries, suspect.deaths) == (b"bad", 4, 2)
        assert await queue.ack(suspect) == 1
        assert [message.body for message in await some(queue)] == [b"good"]


async def test_a_delay_may_be_longer_than_the_lease(redis_url: str) -> None:
    """What waits for its time is nobody's, and is not taken for something that was died of."""
    now = asyncio.get_running_loop().time
    async with RedisQueue(redis_url, lease=SHORT) as queue:
        await queue.put_many([b"a"])
        [message] = await some(queue)
        began = now()
        assert await queue.nack(message, delay=SHORT * 1.5)
        [again] = await some(queue)
        assert now() - began >= SHORT * 1.5
        assert again == message._replace(deliveries=2)


async def test_what_is_released_comes_in_order_and_uncounted(queue: RedisQueue) -> None:
    """Before what was put later, however many there are."""
    bodies = [b"%d" % number for number in range(1500)]
    await queue.put_many(bodies)
    batch = await some(queue, 1500)
    assert await queue.release(*batch) == 1500
    assert await queue.release(*batch) == 0
    await queue.put_many([b"later"])
    again = [*await some(queue, 1000), *await some(queue, 1000)]
    assert [message.body for message in again] == [*bodies, b"later"]
    assert {message.deliveries for message in again} == {1}


async def test_who_waits_is_woken_by_what_is_given_back(redis_url: str, queue: RedisQueue) -> None:
    async with RedisQueue(redis_url, lease=LONG) as other:
        await queue.put_many([b"a"])
        [message] = await some(queue)
        waiting = asyncio.create_task(some(other))
        await asyncio.wait([waiting], timeout=0.05)
        await queue.nack(message)
        [again] = await waiting
        assert again.deliveries == 2


async def test_who_looks_goes_by_the_rules_of_those_who_work(redis_url: str) -> None:
    """A lease is over when theirs is, whatever the one who counts takes it for."""
    async with RedisQueue(redis_url, lease=LONG) as working, RedisQueue(redis_url, lease=SHORT / 100) as looking:
        await working.put_many([b"a"])
        [message] = await some(working)
        await asyncio.sleep(SHORT / 10)
        assert await looking.counts() == Counts(0, 1, 0)
        assert await working.ack(message) == 1
    async with RedisQueue(redis_url, lease=SHORT / 10, max_deliveries=1) as working, RedisQueue(redis_url) as looking:
        await working.put_many([b"a"])
        [message] = await some(working)
        await asyncio.sleep(SHORT / 5)
        assert await looking.counts() == Counts(0, 0, 1)
        assert [letter.body for letter in await looking.dead_letters()] == [b"a"]


# ------------------------------------------------------------ what stays on the server


async def test_nothing_is_left_of_what_is_done(queue: RedisQueue, raw: Any) -> None:
    """Neither in the stream, nor of what was remembered of it: a year of work takes no room."""
    await queue.put_many([b"%d" % number for number in range(2500)])
    [first, second, third] = await some(queue, 3)
    await queue.nack(first)
    await queue.release(second)
    await queue.bury(third, "bad")
    await queue.retry_dead()
    assert len(await drained(queue)) == 2500
    assert await raw.xlen(STREAM) == 0
    assert sorted(await raw.keys("*")) == [STREAM, f"{STREAM}:dead", f"{STREAM}:rules", f"{STREAM}:wake"]
    assert await raw.xlen(f"{STREAM}:wake") == 1


@pytest.mark.parametrize("size", [0, 1, 600_000])
async def test_bodies_come_as_they_were_put_whatever_their_size(queue: RedisQueue, size: int) -> None:
    """Small ones travel in one piece, large ones one by one."""
    bodies = [b"a" * size, b"", b"b" * size]
    await queue.put_many(bodies)
    assert [message.body for message in await some(queue)] == bodies


async def test_more_than_the_server_takes_at_once_is_put_all_or_none(queue: RedisQueue) -> None:
    ids = await queue.put_many([b"%d" % number for number in range(2500)])
    batch = await some(queue, 2500)
    assert [message.id for message in batch] == ids
    assert await queue.renew(*batch) == await queue.ack(*batch) == 2500
    assert await queue.counts() == Counts(0, 0, 0)


async def test_a_dead_letter_that_is_put_back_is_the_same_message(queue: RedisQueue) -> None:
    """By its id, under which it can be dealt with; and it may die again."""
    [name] = await queue.put_many([b"a"])
    for reason in ("bad", "still bad"):
        [message] = await some(queue)
        assert (message.id, message.deliveries) == (name, 1)
        assert await queue.bury(message, reason)
        assert not await queue.bury(message, reason)
        assert await queue.dead_letters() == [(name, b"a", 1, reason)]
        assert await queue.retry_dead("0-1", name) == 1
    [message] = await some(queue)
    assert await queue.renew(message) == 1
    assert await queue.release(message) == 1
    [message] = await some(queue)
    assert await queue.ack(message) == 1
    assert await queue.counts() == Counts(0, 0, 0)


async def test_dead_letters_are_dealt_with_one_by_one_or_all(queue: RedisQueue) -> None:
    ids = await queue.put_many([b"a", b"b", b"c"])
    for message in await some(queue):
        await queue.bury(message, "bad")
    assert [letter.id for letter in await queue.dead_letters(2)] == ids[:2]
    assert await queue.dead_letters(0) == []
    assert await queue.drop_dead(ids[1]) == 1
    assert await queue.retry_dead() == 2
    assert await queue.drop_dead() == 0
    assert [message.id for message in await some(queue)] == [ids[0], ids[2]]


async def test_a_consumer_that_has_nothing_is_forgotten(redis_url: str, raw: Any) -> None:
    """When it closes, or when nothing was heard of it for long; never one that has messages."""
    queues = [RedisQueue(redis_url, lease=lease) for lease in (LONG, LONG, LONG)]
    await queues[0].put_many([b"a", b"b"])
    for queue in queues[:2]:
        await some(queue, 1)
    await queues[2].get_batch(1, timeout=0)
    for queue in queues:
        await queue.close()
    left = await raw.xinfo_consumers(STREAM, "workers")
    assert [consumer["pending"] for consumer in left] == [1, 1]
    await raw.xack(STREAM, "workers", *[each["message_id"] for each in await _pending(raw)][:1])
    async with RedisQueue(redis_url, lease=SHORT / 10) as queue:
        await asyncio.sleep(SHORT * 1.2)
        await some(queue)
        await queue.counts()
        left = await raw.xinfo_consumers(STREAM, "workers")
        assert [consumer["name"] for consumer in left] == [queue._consumer]


async def _pending(raw: Any) -> Any:
    return await raw.xpending_range(STREAM, "workers", "-", "+", 10)


async def test_queues_of_other_names_share_the_connections(queue: RedisQueue, raw: Any) -> None:
    """And nothing else; each is one queue, however often it is asked for."""
    other = queue.named("other")
    assert other is queue.named("other") is other.named("other")
    await other.put_many([b"a"])
    assert await queue.counts() == Counts(0, 0, 0)
    await other.get_batch(1, timeout=0)
    await other.close()
    assert await queue.counts() == Counts(0, 0, 0)
    assert repr(other).startswith("<RedisQueue 'other' at 127.0.0.1:")
    with pytest.raises(ValueError, match="no braces"):
        queue.named("{other}")


async def test_a_queue_that_was_closed_says_so(redis_url: str) -> None:
    queue = RedisQueue(redis_url)
    other = queue.named("other")
    await queue.close()
    await queue.close()
    for closed in (queue, other):
        with pytest.raises(QueueClosed, match="make a new one"):
            await closed.counts()


async def test_who_only_looks_leaves_nothing(redis_url: str, raw: Any) -> None:
    """Whoever counts the messages of a queue that is not there does not make it."""
    async with RedisQueue(redis_url) as queue:
        assert await queue.counts() == Counts(0, 0, 0)
        assert await queue.dead_letters() == []
    assert await raw.keys("*") == []


async def test_what_nobody_has_begun_with_can_be_taken_back(queue: RedisQueue, raw: Any) -> None:
    """Also what waits for its next try, and a dead letter that was put back; what is in work stays, or is gone."""
    done, held, back, bad, waits = await queue.put_many([b"done", b"held", b"back", b"bad", b"waits"])
    batch = await some(queue, 4)
    await queue.ack(batch[0])
    await queue.nack(batch[2], delay=LONG)
    await queue.bury(batch[3], "bad")
    assert await queue.withdraw(done, held, bad) == 0
    await queue.retry_dead()
    assert await queue.withdraw(back, bad, waits, waits) == 3
    assert await queue.counts() == Counts(0, 1, 0)
    assert await queue.ack(batch[1]) == 1
    assert await raw.keys(f"{STREAM}:[ahs]*") == []


async def test_what_is_of_another_queue_is_nobodys(queue: RedisQueue) -> None:
    """Its id may be anything; what is beside it is dealt with."""
    await queue.put_many([b"a"])
    [message] = await some(queue)
    strange = [message._replace(id=name) for name in ("", "7", "no id", "f3a9", "1-1", f"{message.id}-1")]
    assert await queue.renew(*strange, message) == 1
    assert [await queue.nack(each) for each in strange] == [False] * len(strange)
    assert await queue.withdraw(*[each.id for each in strange]) == 0
    assert await queue.ack(*strange, message, *strange) == 1


async def test_a_queue_may_be_forgotten(queue: RedisQueue, raw: Any) -> None:
    """As a whole, when nothing was put for so long; who reads from it then goes on."""
    replies = queue.named("replies", forgotten_after=LONG)
    await replies.put_many([b"a", b"b", b"c"])
    batch = await some(replies)
    await replies.nack(batch[0], delay=LONG)
    await replies.bury(batch[1], "bad")
    keys = await raw.keys("*{replies}*")
    assert len(keys) == 7
    assert all([0 < await raw.ttl(key) <= LONG for key in keys])
    await raw.delete(*keys)
    assert await replies.get_batch(1, timeout=0) == []
    assert 0 < await raw.ttl("asyncworks:{replies}") <= LONG
    await queue.put_many([b"a"])
    assert await raw.ttl(STREAM) == -1


# ------------------------------------------------------------ what goes wrong


async def test_a_server_that_has_forgotten_everything_is_worked_on_with(queue: RedisQueue, raw: Any) -> None:
    """The group is made anew, whatever is asked first."""

    def get(_: Message) -> Awaitable[Any]:
        return queue.get_batch(1, timeout=0)

    def count(_: Message) -> Awaitable[Any]:
        return queue.counts()

    asking: list[Callable[[Message], Awaitable[Any]]] = [count, get, queue.ack, queue.renew, queue.release, queue.nack]
    for ask in asking:
        await queue.put_many([b"lost"])
        [message] = await some(queue)
        await raw.flushall()
        assert await ask(message) in (0, [], (0, 0, 0))
    await raw.flushall()
    await raw.script_flush()
    await queue.put_many([b"a"])
    assert await drained(queue) == [b"a"]


async def test_who_waits_while_a_server_forgets_goes_on(queue: RedisQueue, raw: Any) -> None:
    waiting = asyncio.create_task(some(queue))
    await asyncio.wait([waiting], timeout=0.05)
    await raw.flushall()
    await queue.put_many([b"a"])
    assert [message.body for message in await waiting] == [b"a"]


async def test_a_server_that_is_killed_comes_back_with_everything(redis_server: RedisServer) -> None:
    """Waiting, in flight, given back, dead: and who had a message has it still."""
    async with RedisQueue(redis_server.url, lease=LONG) as queue:
        await queue.put_many([b"done", b"held", b"back", b"bad", b"new"])
        done, held, back, bad = await some(queue, 4)
        await queue.ack(done)
        await queue.nack(back)
        await queue.bury(bad, "bad")
        before = await queue.counts()
        await redis_server.kill()
        with pytest.raises(QueueUnavailable, match=rf"127.0.0.1:{redis_server.port}/0 cannot be reached just now: "):
            await queue.counts()
        await redis_server.restart()
        assert await queue.counts() == before == Counts(2, 1, 1)
        assert await queue.ack(held) == 1
        assert sorted(message.body for message in await some(queue)) == [b"back", b"new"]
        assert await queue.retry_dead() == 1


async def test_a_closing_queue_does_not_mind_a_server_that_is_gone(redis_server: RedisServer) -> None:
    async with RedisQueue(redis_server.url) as queue:
        await queue.put_many([b"a"])
        await some(queue)
        await redis_server.kill()


async def test_connections_that_are_cut_lose_nothing(redis_url: str, tcp_proxy: Before) -> None:
    """Amid get, ack and put; the next call connects anew. What was put twice for that comes twice."""
    proxy = await tcp_proxy(redis_url)
    numbers = [b"%d" % number for number in range(200)]
    async with RedisQueue(proxy.url, lease=LONG, max_deliveries=1) as queue:

        async def put() -> None:
            for number in numbers:
                await again(lambda: queue.put_many([number]))  # noqa: B023

        async def cut() -> None:
            while True:
                await asyncio.sleep(0.01)
                proxy.cut()

        cutting, putting = asyncio.create_task(cut()), asyncio.create_task(put())
        seen: list[bytes] = []
        async with asyncio.timeout(BOUND):
            while not putting.done():
                batch = await again(lambda: queue.get_batch(7, timeout=0.05))
                seen += [message.body for message in batch]
                await again(lambda: queue.ack(*batch))  # noqa: B023
        cutting.cancel()
        await asyncio.wait([cutting])
        seen += await drained(queue)
    assert set(seen) == set(numbers)


async def test_an_answer_that_was_lost_comes_again_undone(redis_server: RedisServer) -> None:
    """Whom a cancellation, or a cut, took from its answer has taken nothing: no delivery and no death is counted."""
    async with RedisQueue(redis_server.url, lease=LONG) as queue:
        await queue.put_many([b"a", b"b", b"c"])
        [held] = await some(queue, 1)
        redis_server.pause()
        taking = asyncio.create_task(queue.get_batch(10))
        await asyncio.wait([taking], timeout=0.1)
        taking.cancel()
        await asyncio.wait([taking])
        redis_server.resume()
        assert taking.cancelled()
        assert [tuple(message)[1:] for message in await some(queue)] == [(b"b", 1, 0), (b"c", 1, 0)]
        assert await queue.ack(held) == 1


async def test_an_answer_that_was_lost_is_given_back_at_the_end(redis_server: RedisServer) -> None:
    """Who is cancelled, and closes, leaves nothing to wait for."""
    async with RedisQueue(redis_server.url, lease=LONG) as other:
        async with RedisQueue(redis_server.url, lease=LONG) as queue:
            assert await queue.get_batch(1, timeout=0) == []
            await queue.put_many([b"a"])
            redis_server.pause()
            taking = asyncio.create_task(queue.get_batch(10))
            await asyncio.wait([taking], timeout=0.1)
            taking.cancel()
            await asyncio.wait([taking])
            redis_server.resume()
        [message] = await some(other)
        assert (message.deliveries, message.deaths) == (1, 0)


async def test_a_server_that_does_not_answer_is_told_of(redis_server: RedisServer) -> None:
    """In time, and for whoever asks; it is used again when it answers."""
    async with RedisQueue(f"{redis_server.url}?socket_timeout=0.2", lease=LONG) as queue:
        await queue.put_many([b"a"])
        redis_server.pause()
        for call in (queue.counts, lambda: queue.get_batch(1)):
            with pytest.raises(QueueUnavailable, match="cannot be reached just now"):
                await call()
        redis_server.resume()
        assert [message.deaths for message in await again(lambda: some(queue))] == [0]


async def test_a_server_that_takes_no_changes_for_now_is_waited_for(redis_server: RedisServer) -> None:
    """A replica, until the queue's address leads to the new primary; and one whose memory is full."""
    async with RedisQueue(redis_server.url, lease=LONG) as queue:
        await queue.put_many([b"a"])
        await redis_server.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(QueueUnavailable, match="does not serve just now"):
            await queue.put_many([b"b"])
        await redis_server.command("CONFIG", "SET", "maxmemory", "0")
        await redis_server.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(QueueUnavailable, match="does not serve just now"):
            await queue.get_batch(1)
        await redis_server.command("REPLICAOF", "NO", "ONE")
        assert await drained(queue) == [b"a"]


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancellation_is_never_swallowed(redis_url: str, turns: int) -> None:
    """Before Python 3.12 ``asyncio.wait_for()``, by which redis-py sends, returns if what it waited for is done."""
    async with RedisQueue(redis_url) as queue:
        await queue.put_many([b"a"])
        batch = await queue.get_batch(1)

        async def acknowledge_and_go_on() -> None:
            await queue.ack(*batch)
            await asyncio.Event().wait()

        task = asyncio.create_task(acknowledge_and_go_on())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()
