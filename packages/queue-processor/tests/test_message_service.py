"""A QueueProcessor on a message queue, as its users meet it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from queue_processor import (
    Backoff,
    CalledFromHandler,
    ConsumersGone,
    MemoryQueue,
    Message,
    ProcessorNotRunning,
    QueueProcessor,
    QueueUnavailable,
    Reject,
)

pytestmark = pytest.mark.virtual_time


class Book:
    """A handler that takes `seconds`, and knows what it did."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.started: list[bytes] = []
        self.done: list[bytes] = []
        self.cancelled: list[bytes] = []
        self.most_at_once = 0

    async def __call__(self, message: Message) -> None:
        self.started.append(message.body)
        at_once = len(self.started) - len(self.done) - len(self.cancelled)
        self.most_at_once = max(self.most_at_once, at_once)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled.append(message.body)
            raise
        self.done.append(message.body)


def bodies(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


# ------------------------------------------------------------ the good case


async def test_each_message_is_handled_and_acknowledged() -> None:
    """Afterwards the queue is empty, and the figures say how many it were."""
    book = Book(seconds=1)
    async with MemoryQueue() as queue, QueueProcessor(book, queue=queue, consumers=8) as processor:
        await processor.put_many(bodies(20))
        await processor.join()
        tally = processor.tally
    assert sorted(book.done) == sorted(bodies(20))
    assert book.most_at_once == 8
    assert await queue.counts() == (0, 0, 0)
    assert (tally.done, tally.failed, tally.in_work) == (20, 0, 0)
    assert tally.rate == pytest.approx(20 / 3, rel=0.1)


async def test_the_handler_is_handed_the_message() -> None:
    """With what makes it idempotent: an id that stays, and the number of the delivery."""
    seen: list[Message] = []

    async def handle(message: Message) -> None:
        seen.append(message)
        if message.deliveries == 1:
            raise OSError("not yet")

    async with QueueProcessor(handle, queue=MemoryQueue()) as processor:
        given = await processor.put(b'{"user": 1}')
        await processor.join()
    assert [message.id for message in seen] == [given, given]
    assert [message.deliveries for message in seen] == [1, 2]
    assert seen[0].json() == {"user": 1}


async def test_a_subclass_may_bring_its_handler() -> None:
    """As in memory."""

    class Printer(QueueProcessor[Message, None]):
        async def process_item(self, item: Message) -> None:
            printed.append(item.body)

    printed: list[bytes] = []
    async with Printer(queue=MemoryQueue()) as processor:
        await processor.put(b"page")
        await processor.join()
    assert printed == [b"page"]


async def test_join_waits_for_what_others_have_in_hand() -> None:
    """Two workers on one queue: either knows when all is done."""
    queue, slow, quick = MemoryQueue(), Book(seconds=7), Book(seconds=1)
    await queue.put_many(bodies(2))
    async with QueueProcessor(slow, queue=queue), QueueProcessor(quick, queue=queue) as processor:
        await processor.join()
        assert sorted(slow.done + quick.done) == bodies(2)


async def test_run_works_until_shutdown() -> None:
    """What is in hand is finished, what waits stays."""
    queue, book = MemoryQueue(), Book(seconds=5)
    await queue.put_many(bodies(5))
    processor = QueueProcessor(book, queue=queue, consumers=2)
    running = asyncio.create_task(processor.run())
    await asyncio.sleep(6)
    assert processor.running
    assert len(processor.unfinished) == 2
    assert await processor.shutdown() == []
    await running
    assert not processor.running
    assert len(book.done) == 4
    assert await queue.counts() == (1, 0, 0)


async def test_a_processor_works_again_after_it_was_left() -> None:
    """And its figures go on."""
    queue, book = MemoryQueue(), Book(seconds=1)
    processor = QueueProcessor(book, queue=queue)
    for _ in range(2):
        async with processor:
            await processor.put(b"x")
            await processor.join()
    assert processor.tally.done == 2


# ------------------------------------------------------------ reading and acknowledging


async def test_no_more_is_read_than_there_is_room_for(line_to: type[Any]) -> None:
    """What waits in one worker cannot be done by another."""
    line = line_to(MemoryQueue())
    await line.queue.put_many(bodies(30))
    book = Book(seconds=1)
    async with QueueProcessor(book, queue=line, consumers=4):
        await asyncio.sleep(0.5)
        assert (await line.queue.counts()).in_flight == 4
        await asyncio.sleep(1)
    assert max(line.sizes("get_batch")) == 4


async def test_what_is_done_together_is_acknowledged_together(line_to: type[Any]) -> None:
    """One call for all that were done by then."""
    line = line_to(MemoryQueue())
    await line.queue.put_many(bodies(100))
    async with QueueProcessor(Book(), queue=line, consumers=50) as processor:
        await processor.join()
    assert sum(line.sizes("ack")) == 100
    assert len(line.sizes("ack")) <= 6


async def test_a_queue_that_acknowledges_slowly_sets_the_pace(line_to: type[Any]) -> None:
    """What is done and not acknowledged is done again after a crash: it must not pile up."""
    line = line_to(MemoryQueue())
    await line.queue.put_many(bodies(100))
    acknowledge, book = line.ack, Book()

    async def slowly(*messages: Message) -> int:
        await asyncio.sleep(10)
        count: int = await acknowledge(*messages)
        return count

    line.ack = slowly
    async with QueueProcessor(book, queue=line, consumers=5):
        await asyncio.sleep(5)
        assert len(book.done) <= 20


# ------------------------------------------------------------ leases


async def test_a_handler_may_take_longer_than_the_lease() -> None:
    """A lease of 3 seconds, 10 seconds of work: begun once, and nobody else gets it."""
    queue, book = MemoryQueue(lease=3), Book(seconds=10)
    async with QueueProcessor(book, queue=queue, consumers=2) as processor:
        await processor.put(b"long")
        assert await queue.get_batch(1, timeout=1) in ([], [*processor.unfinished])
        await processor.join()
    assert book.started == [b"long"]


async def test_a_lease_that_is_lost_is_no_error(line_to: type[Any]) -> None:
    """Cut off for longer than the lease, a worker finishes nevertheless; the message may be done twice, never not."""
    line, book = line_to(MemoryQueue(lease=3)), Book(seconds=10)
    async with QueueProcessor(book, queue=line) as processor:
        await processor.put(b"x")
        await asyncio.sleep(0.5)
        line.down = True
        await asyncio.sleep(5)
        [again] = await line.queue.get_batch(1, timeout=0)
        line.down = False
        assert await line.queue.ack(again) == 1
        await asyncio.sleep(6)
        assert book.done == [b"x"]
        await processor.join()
        assert processor.tally.done == 1


# ------------------------------------------------------------ outages


async def test_an_outage_is_outlasted(caplog: pytest.LogCaptureFixture, line_to: type[Any]) -> None:
    """Reading, acknowledging, renewing and giving back go on by themselves, and one line says that it was so."""

    async def handle(message: Message) -> None:
        await asyncio.sleep(2)
        if message.body == b"1" and message.deliveries == 1:
            raise ValueError("bad")
        done.append(message.body)

    line, done = line_to(MemoryQueue(lease=60)), list[bytes]()
    await line.queue.put_many(bodies(6))
    with caplog.at_level(logging.WARNING, "queue_processor"):
        async with QueueProcessor(handle, queue=line, consumers=3) as processor:
            await asyncio.sleep(1)
            line.down = True
            joining = asyncio.create_task(processor.join())
            await asyncio.sleep(30)
            assert len(done) == 2
            line.down = False
            await joining
    assert sorted(done) == bodies(6)
    assert await line.queue.counts() == (0, 0, 0)
    assert caplog.text.count("cannot be reached") == 1
    assert caplog.text.count("is back after") == 1


async def test_who_puts_hears_of_an_outage(line_to: type[Any]) -> None:
    """Putting again might put twice: that is for the caller to decide."""
    line = line_to(MemoryQueue())
    async with QueueProcessor(Book(), queue=line) as processor:
        line.down = True
        with pytest.raises(QueueUnavailable):
            await processor.put(b"x")
        line.down = False


async def test_leaving_during_an_outage_does_not_wait_for_ever(line_to: type[Any]) -> None:
    """After drain and grace the messages are left to their leases."""
    line = line_to(MemoryQueue(lease=10))
    async with QueueProcessor(Book(seconds=1), queue=line, drain=2, grace=1) as processor:
        await processor.put(b"x")
        await asyncio.sleep(0.5)
        line.down = True
    [again] = await line.queue.get_batch(1, timeout=20)
    assert (again.deliveries, again.deaths) == (2, 1)


async def test_an_error_of_the_queue_that_is_no_outage_comes_out(line_to: type[Any]) -> None:
    """It is a mistake somewhere, and trying again would only hide it."""
    line = line_to(MemoryQueue())
    processor = QueueProcessor(Book(seconds=100), queue=line, consumers=3)
    await line.queue.put_many([b"x"])
    running = asyncio.create_task(processor.run())
    await asyncio.sleep(1)
    line.broken = RuntimeError("broken")
    await line.queue.put_many([b"y"])
    with pytest.raises(RuntimeError, match="broken"):
        await running
    assert processor.unfinished == []
    assert not processor.running


async def test_who_joins_is_told_what_broke(line_to: type[Any]) -> None:
    """Instead of waiting for an acknowledgement that will not come."""
    line = line_to(MemoryQueue())

    async def work() -> None:
        async with QueueProcessor(Book(seconds=5), queue=line) as processor:
            await processor.put(b"x")
            joining = asyncio.create_task(processor.join())
            await asyncio.sleep(1)
            line.broken = RuntimeError("broken")
            with pytest.raises(RuntimeError, match="broken"):
                await joining
            line.broken = None

    with pytest.raises(RuntimeError, match="broken"):
        await work()


async def test_tasks_that_somebody_else_cancels_are_missed() -> None:
    """A worker without its reader would wait for ever."""
    running = asyncio.create_task(QueueProcessor(Book(), queue=MemoryQueue()).run())
    await asyncio.sleep(1)
    [reader] = [task for task in asyncio.all_tasks() if task.get_name() == "queue-processor reader"]
    reader.cancel()
    with pytest.raises(ConsumersGone):
        await running


# ------------------------------------------------------------ failures


async def test_a_failing_message_is_tried_again_and_then_given_up() -> None:
    """After max_deliveries of the queue, with the reason; the others go on."""

    async def handle(message: Message) -> None:
        if message.body == b"bad":
            tries.append(message.deliveries)
            raise ValueError("not an image")

    queue, tries = MemoryQueue(max_deliveries=4), list[int]()
    async with QueueProcessor(handle, queue=queue, consumers=2, backoff=Backoff(first=5)) as processor:
        await processor.put_many([b"bad", *bodies(5)])
        await processor.join()
        tally = processor.tally
    [letter] = await queue.dead_letters()
    assert (letter.body, letter.deliveries, letter.reason) == (b"bad", 4, "ValueError: not an image")
    assert tries == [1, 2, 3, 4]
    assert (tally.done, tally.failed, tally.retried, tally.dead) == (5, 4, 3, 1)


async def test_the_figures_are_right_when_many_fail_at_once() -> None:
    """Each is counted, whoever's answer comes first."""

    async def handle(message: Message) -> None:
        if message.body < b"5":
            raise Reject("no")
        raise ValueError("no")

    queue = MemoryQueue(max_deliveries=3)
    async with QueueProcessor(handle, queue=queue, consumers=10) as processor:
        await processor.put_many(bodies(10))
        await processor.join()
        tally = processor.tally
    assert (tally.failed, tally.retried, tally.dead) == (20, 10, 10)


async def test_a_rejected_message_is_dead_at_once() -> None:
    """Trying again would be useless."""

    async def handle(message: Message) -> None:
        raise Reject("no such user")

    queue = MemoryQueue()
    async with QueueProcessor(handle, queue=queue) as processor:
        await processor.put(b"x")
        await processor.join()
        assert processor.tally.dead == 1
    [letter] = await queue.dead_letters()
    assert (letter.deliveries, letter.reason) == (1, "Reject: no such user")


async def test_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    """The handler awaited something that had been cancelled."""

    async def handle(message: Message) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    queue = MemoryQueue(max_deliveries=1)
    async with QueueProcessor(handle, queue=queue) as processor:
        await processor.put(b"x")
        await processor.join()
    [letter] = await queue.dead_letters()
    assert letter.reason.startswith("HandlerCancelled: ")


async def test_a_handler_that_exits_has_failed() -> None:
    """Or it would end one worker after the other."""

    async def handle(message: Message) -> None:
        raise SystemExit(3)

    queue = MemoryQueue(max_deliveries=2)
    async with QueueProcessor(handle, queue=queue) as processor:
        await processor.put(b"x")
        await processor.join()
    [letter] = await queue.dead_letters()
    assert letter.reason == "SystemExit: 3"


async def test_a_handler_that_is_not_async_stops_the_processor() -> None:
    """It would fail with each message: none is given up for it."""

    def handle(message: Message) -> Any:
        return message.body

    queue = MemoryQueue(max_deliveries=1)
    await queue.put_many(bodies(3))
    with pytest.raises(TypeError, match="make it `async def`"):
        await QueueProcessor(handle, queue=queue).run()
    assert await queue.counts() == (3, 0, 0)


# ------------------------------------------------------------ the end


async def test_leaving_finishes_what_is_in_hand_and_leaves_the_rest() -> None:
    """The queue keeps it: there is no need to empty it."""
    queue, book = MemoryQueue(), Book(seconds=20)
    async with QueueProcessor(book, queue=queue, consumers=2) as processor:
        await processor.put_many(bodies(5))
        await asyncio.sleep(1)
    assert sorted(book.done) == bodies(2)
    assert await queue.counts() == (3, 0, 0)


async def test_after_the_grace_handlers_are_cancelled_and_their_messages_given_back() -> None:
    """As if they had never been delivered."""
    queue, book = MemoryQueue(), Book(seconds=20)
    async with QueueProcessor(book, queue=queue, consumers=2) as processor:
        await processor.put_many(bodies(3))
        await asyncio.sleep(1)
        left = await processor.shutdown(drain=0, grace=0)
    assert sorted(message.body for message in left) == sorted(book.cancelled) == bodies(2)
    assert await queue.counts() == (3, 0, 0)
    assert {message.deliveries for message in await queue.get_batch(3)} == {1}


async def test_an_exception_in_the_block_gives_back_at_once() -> None:
    """And comes out."""

    async def fail() -> None:
        async with QueueProcessor(book, queue=queue) as processor:
            await processor.put(b"x")
            await asyncio.sleep(1)
            raise KeyError("mine")

    queue, book = MemoryQueue(), Book(seconds=20)
    with pytest.raises(KeyError):
        await fail()
    assert book.cancelled == [b"x"]
    assert await queue.counts() == (1, 0, 0)


async def test_a_handler_that_finishes_though_cancelled_is_done() -> None:
    """Its work was done: to give it back would do it twice."""

    async def stubborn(message: Message) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)

    queue = MemoryQueue()
    async with QueueProcessor(stubborn, queue=queue, drain=0, grace=1) as processor:
        await processor.put(b"x")
        await asyncio.sleep(1)
    assert await queue.counts() == (0, 0, 0)


async def test_a_message_whose_handler_somebody_else_cancelled_is_given_back() -> None:
    """Also while it had not begun."""

    async def handle(message: Message) -> None:
        seen.append(message.deliveries)
        if len(seen) == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(1)

    seen: list[int] = []
    async with QueueProcessor(handle, queue=MemoryQueue()) as processor:
        await processor.put(b"x")
        await processor.join()
    assert seen == [1, 1]


async def test_join_says_when_it_waits_in_vain() -> None:
    """After a shutdown nobody here does what is left."""
    queue = MemoryQueue()
    async with QueueProcessor(Book(seconds=5), queue=queue) as processor:
        await processor.put_many(bodies(3))
        joining = asyncio.create_task(processor.join())
        await asyncio.sleep(1)
        await processor.shutdown()
        with pytest.raises(ProcessorNotRunning, match=r"2 message\(s\) are not done"):
            await joining


@pytest.mark.explore(schedules=40, cancel="running")
async def test_wherever_it_is_cancelled_each_message_is_done_once_in_the_end() -> None:
    """Handed back uncounted, or acknowledged; and nothing is left running."""
    done: list[bytes] = []

    async def handle(message: Message) -> None:
        assert message.deaths == 0
        await asyncio.sleep(0.01)
        done.append(message.body)
        await asyncio.sleep(0)

    queue = MemoryQueue()
    await queue.put_many(bodies(3))
    first = QueueProcessor(handle, queue=queue, consumers=2)
    running = asyncio.create_task(first.run(), name="running")
    await asyncio.sleep(0.012)
    await first.shutdown()
    await asyncio.wait([running])
    assert (await queue.counts()).in_flight == 0
    async with QueueProcessor(handle, queue=queue) as second:
        await second.join()
    assert set(done) == set(bodies(3))
    assert len(done) <= 5
    assert await queue.counts() == (0, 0, 0)


@pytest.mark.explore(schedules=40)
async def test_two_workers_never_have_the_same_message() -> None:
    """However they take turns: while leases are kept, each message is delivered once."""
    done: list[bytes] = []

    async def handle(message: Message) -> None:
        await asyncio.sleep(0.01)
        done.append(message.body)

    queue = MemoryQueue(lease=3)
    await queue.put_many(bodies(5))
    async with QueueProcessor(handle, queue=queue, consumers=2) as one, QueueProcessor(handle, queue=queue) as other:
        await asyncio.gather(one.join(), other.join())
    assert sorted(done) == bodies(5)


# ------------------------------------------------------------ poison


async def _dies(line: Any, poison: bytes, done: list[bytes]) -> bool:
    """Whether a worker dies, unheard of, before the queue is empty."""

    async def handle(message: Message) -> None:
        if message.body == poison:
            line.dead = True
            running.cancel()
        await asyncio.sleep(0.5)
        done.append(message.body)

    processor = QueueProcessor(handle, queue=line, consumers=8)
    running = asyncio.create_task(processor.run())
    await asyncio.sleep(0)
    joining = asyncio.create_task(processor.join())
    await asyncio.wait([running, joining], return_when=asyncio.FIRST_COMPLETED)
    if not line.dead:
        await processor.shutdown()
    joining.cancel()
    await asyncio.wait([running, joining])
    return bool(line.dead)


@pytest.mark.parametrize("most", [3, 5])
async def test_a_message_that_kills_its_worker_takes_no_other_with_it(line_to: type[Any], most: int) -> None:
    """Ten good ones beside it: after two deaths each suspect runs alone, so that only the guilty one dies."""
    queue, done = MemoryQueue(lease=3, max_deliveries=most), list[bytes]()
    await queue.put_many([*bodies(5), b"pill", *bodies(10)[5:]])
    deaths = 0
    while await _dies(line_to(queue), b"pill", done):
        deaths += 1
    assert deaths == most
    assert set(done) == set(bodies(10))
    [letter] = await queue.dead_letters()
    assert letter.body == b"pill"


async def test_a_suspect_runs_alone(line_to: type[Any]) -> None:
    """Nothing beside it, and nothing is read meanwhile."""
    line = line_to(MemoryQueue(lease=1))
    await line.queue.put_many([b"suspect"])
    for _ in range(2):
        await line.queue.get_batch(1)
        await asyncio.sleep(1.1)

    async def handle(message: Message) -> None:
        beside.append((message.body, processor.tally.in_work))
        await asyncio.sleep(5)
        reads.append((message.body, len(line.sizes("get_batch"))))

    beside: list[tuple[bytes, int]] = []
    reads: list[tuple[bytes, int]] = []
    async with QueueProcessor(handle, queue=line, consumers=4) as processor:
        await line.queue.put_many(bodies(4))
        await processor.join()
    assert beside[0] == (b"suspect", 1)
    assert reads[0] == (b"suspect", 1)
    assert len(beside) == 5


async def test_a_suspect_that_waits_to_run_alone_is_given_back_at_the_end() -> None:
    """At once: another worker need not wait for what this one still finishes."""
    queue, book = MemoryQueue(lease=1), Book(seconds=30)
    await queue.put_many([b"suspect"])
    for _ in range(2):
        await queue.get_batch(1)
        await asyncio.sleep(1.1)
    [suspect] = await queue.get_batch(1)
    await queue.put_many([b"long"])
    async with QueueProcessor(book, queue=queue, consumers=2) as processor:
        await asyncio.sleep(0.5)
        await queue.release(suspect)
        await asyncio.sleep(0.5)
        assert {message.body for message in processor.unfinished} == {b"long", b"suspect"}
        leaving = asyncio.create_task(processor.shutdown())
        await asyncio.sleep(1)
        assert [message.body for message in processor.unfinished] == [b"long"]
        assert (await queue.get_batch(1, timeout=0))[0].deliveries == 3
        await leaving
    assert book.done == [b"long"]


# ------------------------------------------------------------ what cannot be asked


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"attempts": 3}, "max_deliveries="),
        ({"maxsize": 10}, "they wait in the queue"),
        ({"on_failure": "raise"}, r"dead_letters\(\)"),
        ({"handler": None}, "a handler is needed"),
    ],
)
def test_options_that_the_queue_decides_about_are_refused(options: dict[str, Any], hint: str) -> None:
    """At once, and with what to use instead."""
    with pytest.raises(TypeError, match=hint):
        QueueProcessor(**{"handler": Book(), "queue": MemoryQueue(), **options})


async def test_results_do_not_come_back_from_a_queue() -> None:
    """So the calls that collect them say what to use."""
    processor: QueueProcessor[Any, Any] = QueueProcessor(Book(), queue=MemoryQueue())
    for call in (processor.process_all([]), processor.producer([]), processor.consumer()):
        with pytest.raises(TypeError, match=r"use put\(\) or put_many\(\), `async with`"):
            await call
    with pytest.raises(AttributeError, match="the queue that you gave"):
        _ = processor.queue


async def test_in_memory_there_is_no_message_to_put_or_serve() -> None:
    """And the calls say so."""
    processor: QueueProcessor[Any, Any] = QueueProcessor()
    with pytest.raises(TypeError, match="no queue="):
        await processor.put_many([b"x"])
    with pytest.raises(TypeError, match="no queue="):
        await processor.run()
    with pytest.raises(AttributeError, match="on a message queue"):
        _ = processor.tally


@pytest.mark.parametrize("body", ["text", 5, {"id": 1}, None])
async def test_a_body_is_of_bytes(body: Any) -> None:
    """bytes(5) would be five zeros."""
    processor: QueueProcessor[Any, Any] = QueueProcessor(Book(), queue=MemoryQueue())
    with pytest.raises(TypeError, match=r"json\.dumps"):
        await processor.put_many([b"good", body])


async def test_a_handler_cannot_wait_for_its_own_processor() -> None:
    """It would wait for itself; a put is welcome."""

    async def handle(message: Message) -> None:
        if message.body == b"first":
            for call in (processor.join(), processor.shutdown(), processor.run()):
                with pytest.raises(CalledFromHandler):
                    await call
            await processor.put(b"second")
        seen.append(message.body)

    seen: list[bytes] = []
    async with QueueProcessor(handle, queue=MemoryQueue()) as processor:
        await processor.put(b"first")
        await processor.join()
    assert seen == [b"first", b"second"]


async def test_a_processor_is_entered_once_at_a_time() -> None:
    """And join() needs somebody who works."""
    processor = QueueProcessor(Book(), queue=MemoryQueue())
    with pytest.raises(ProcessorNotRunning):
        await processor.join()
    async with processor:
        with pytest.raises(ProcessorNotRunning):
            await processor.__aenter__()
    assert await processor.shutdown() == []
