"""QueueProcessor as its users meet it; the codes name what the first version of this class got wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import (
    Backoff,
    CalledFromHandler,
    ItemFailed,
    ProcessorNotRunning,
    QueueClosed,
    QueueProcessor,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from shared_testing import TaskBuilders, VirtualClock


async def three_consumers(processor: QueueProcessor[Any, Any], items: Any) -> None:
    """The old protocol: after the producer, one None for each consumer."""
    producer = asyncio.create_task(processor.producer(items))
    consumers = [asyncio.create_task(processor.consumer()) for _ in range(3)]
    await producer
    for _ in range(3):
        await processor.queue.put(None)
    await asyncio.gather(*consumers)


async def test_signals_of_one_run_do_not_stop_the_next(virtual_clock: VirtualClock) -> None:
    """After a run that was ended with a None for each consumer, the next call processes its items. (Q1)"""
    processor = QueueProcessor()
    await three_consumers(processor, range(20))
    assert len(processor.results) == 20
    assert processor.queue.qsize() == 0
    await processor.process_all(["a", "b"])
    assert processor.results == ["processed_a", "processed_b"]


async def test_the_old_protocol_can_be_repeated_on_one_processor(ledger: type[Any]) -> None:
    """However fast the consumers are, late signals are spent with their own run. (Q1)"""
    for steps in range(4):
        processor = QueueProcessor(ledger(steps=steps))
        for _ in range(3):
            await three_consumers(processor, range(20))
            assert len(processor.results) == 20
            consumer = asyncio.create_task(processor.consumer())
            await asyncio.sleep(0)
            await processor.producer("ab")
            await consumer
            assert processor.results == ["done_a", "done_b"]


async def test_the_end_of_the_input_stops_no_consumer_before_all_is_done(ledger: type[Any]) -> None:
    """One signal for three consumers leaves no item behind. (Q1b)"""
    book = ledger()
    processor = QueueProcessor(book)
    consumers = [asyncio.create_task(processor.consumer()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(6):
        await processor.queue.put(number)
    await processor.queue.put(None)
    await asyncio.gather(*consumers)
    assert sorted(book.done) == list(range(6))
    assert processor.queue.qsize() == 0


async def test_the_input_ends_with_the_last_producer(ledger: type[Any]) -> None:
    """The first of two producers to return does not end the input of the other. (Q1c)"""
    book = ledger()
    processor = QueueProcessor(book, maxsize=1)
    consumer = asyncio.create_task(processor.consumer())
    await asyncio.gather(processor.producer(["a"]), processor.producer([f"b{number}" for number in range(5)]))
    await consumer
    assert len(book.done) == 6
    assert processor.queue.qsize() == 0


async def test_join_returns_when_all_is_done(ledger: type[Any]) -> None:
    """Every item is acknowledged, dead ones too, and the end leaves nothing to acknowledge. (Q2)"""
    processor = QueueProcessor(ledger(fail={"b"}), attempts=1)
    consumer = asyncio.create_task(processor.consumer())
    await asyncio.sleep(0)
    await processor.producer("abc")
    await processor.queue.join()
    assert processor.results == ["done_a", "done_c"]
    await consumer
    await processor.process_all("a")
    await processor.queue.join()


async def test_none_is_an_item(virtual_clock: VirtualClock) -> None:
    """Nothing that one can put in a list means "stop". (Q3)"""
    processor = QueueProcessor()
    assert await processor.process_all([1, None, 2]) == ["processed_1", "processed_None", "processed_2"]
    consumer = asyncio.create_task(processor.consumer())
    await asyncio.sleep(0)
    await processor.producer([None, 3])
    await consumer
    assert processor.results == ["processed_None", "processed_3"]


async def test_one_bad_item_stops_neither_consumer_nor_producer(virtual_clock: VirtualClock) -> None:
    """It is tried again, put with the dead letters with its reason, and the others are processed. (Q4)"""

    class Bad:
        def __format__(self, spec: str) -> str:
            raise ValueError("bad item")

    bad = Bad()
    processor: QueueProcessor[Any, str] = QueueProcessor(maxsize=1)
    results = await processor.process_all([bad, 1, 2, 3])
    assert results == ["processed_1", "processed_2", "processed_3"]
    (letter,) = processor.dead_letters
    assert letter.item is bad
    assert letter.attempts == 3
    assert letter.reason == "ValueError: bad item"
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("kind", ["iterable", "async iterable"])
async def test_items_are_read_no_faster_than_they_are_handled(kind: str, tasks: TaskBuilders) -> None:
    """At most maxsize wait, each consumer holds one, and one is held ready. (Q5)"""
    read = 0

    def count() -> Any:
        nonlocal read
        for number in range(200_000):
            read += 1
            yield number

    async def count_async() -> AsyncIterator[int]:
        for number in count():
            yield number

    handle = tasks.never()
    processor = QueueProcessor(handle, consumers=4, maxsize=10)
    call = asyncio.create_task(processor.process_all(count() if kind == "iterable" else count_async()))
    for _ in range(100):
        await asyncio.sleep(0)
    assert (handle.running, read) == (4, 15)
    call.cancel()
    await asyncio.wait([call])


@pytest.mark.parametrize("how", ["shutdown", "running"])
async def test_a_consumer_that_waits_for_items_can_be_stopped(
    how: str, ledger: type[Any], settle: Callable[[], Awaitable[None]]
) -> None:
    """Stopping does not need an item to come by. (Q6)"""
    processor = QueueProcessor(ledger())
    consumers = [asyncio.create_task(processor.consumer()) for _ in range(2)]
    await settle()
    assert processor.running
    if how == "shutdown":
        assert await processor.shutdown() == []
    else:
        processor.running = False
    await asyncio.gather(*consumers)
    assert not processor.running


async def test_an_item_whose_consumer_is_cancelled_goes_to_a_later_one(
    virtual_clock: VirtualClock, settle: Callable[[], Awaitable[None]]
) -> None:
    """Cancelled amid an item, a consumer hands it back. (Q7)"""
    processor = QueueProcessor()
    await processor.queue.put("x")
    consumer = asyncio.create_task(processor.consumer())
    await virtual_clock.advance(0.005)
    assert processor.queue.qsize() == 0
    assert processor.unfinished == ["x"]
    consumer.cancel()
    await asyncio.wait([consumer])
    assert consumer.cancelled()
    assert processor.queue.qsize() == 1
    processor.queue.close()
    await processor.consumer()
    assert processor.results == ["processed_x"]


async def test_an_item_whose_consumer_is_cancelled_goes_to_one_that_waits(
    ledger: type[Any], settle: Callable[[], Awaitable[None]]
) -> None:
    """Even after the end of the input an idle consumer waits for what may come back. (Q7)"""
    book = ledger(steps=20)
    processor = QueueProcessor(book)
    first, second = (asyncio.create_task(processor.consumer()) for _ in range(2))
    await processor.producer(["x"])
    for _ in range(5):
        await asyncio.sleep(0)
    assert book.running == 1
    assert (first.done(), second.done()) == (False, False)
    first.cancel()
    await second
    assert (book.started["x"], book.done["x"]) == (2, 1)


@pytest.mark.explore(schedules=60, cancel="victim")
async def test_whenever_a_consumer_is_cancelled_its_item_is_handed_back() -> None:
    """At each of its suspensions, and in whatever order the handlers end, each item is done once in the end. (Q7)"""
    done: list[str] = []

    async def handle(item: str) -> None:
        await asyncio.sleep(0.01)
        done.append(item)

    processor = QueueProcessor(handle)
    victim = asyncio.create_task(processor.consumer(), name="victim")
    other = asyncio.create_task(processor.consumer())
    await processor.producer(["a", "b", "c"])
    await asyncio.wait([victim, other])
    assert sorted(done) == ["a", "b", "c"]
    assert processor.unfinished == []


@pytest.mark.explore(schedules=60)
async def test_leaving_the_service_loses_nothing_that_was_put() -> None:
    """Whatever is in work, queued or just being put when the block is left is done once, or given back."""
    done: list[str] = []

    async def handle(item: str) -> None:
        await asyncio.sleep(0.01)
        done.append(item)

    async def put(item: str) -> bool:
        await asyncio.sleep(0.01)
        try:
            await processor.put(item)
        except (ProcessorNotRunning, QueueClosed):
            return False
        return True

    async with QueueProcessor(handle, consumers=2) as processor:
        puts = [asyncio.create_task(put(item)) for item in "abc"]
        await asyncio.sleep(0.011)
    taken = [item for item, was_taken in zip("abc", await asyncio.gather(*puts), strict=True) if was_taken]
    assert sorted(done) == taken


async def test_process_all_returns_its_results_and_keeps_only_the_latest(ledger: type[Any]) -> None:
    """The attribute does not grow from call to call. (Q8)"""
    processor = QueueProcessor(ledger())
    for _ in range(3):
        assert await processor.process_all("ab") == ["done_a", "done_b"]
    assert processor.results == ["done_a", "done_b"]


async def test_calls_at_once_each_return_their_own_results(ledger: type[Any]) -> None:
    """And together run no more handlers than there are consumers. (Q9)"""
    book = ledger()
    processor = QueueProcessor(book, consumers=2)
    inputs = [[f"{name}{number}" for number in range(size)] for name, size in (("a", 3), ("b", 30), ("c", 0))]
    results = await asyncio.gather(*(processor.process_all(items) for items in inputs))
    assert results == [[f"done_{item}" for item in items] for items in inputs]
    assert len(processor.results) == 33
    assert book.peak == 2


async def test_a_long_call_does_not_hold_up_a_short_one(ledger: type[Any]) -> None:
    """Where there are more consumers than permits, they take turns. (Q9)"""
    book = ledger(steps=1)
    processor = QueueProcessor(book, consumers=1)
    long = asyncio.create_task(processor.process_all(range(1000)))
    await asyncio.sleep(0)
    await processor.process_all(["short"])
    assert not long.done()
    assert len(book.done) < 500
    await long


async def test_a_call_whose_source_is_silent_holds_up_no_other(ledger: type[Any]) -> None:
    """A consumer that waits for an item lets others have its turn."""

    async def silent() -> AsyncIterator[str]:
        yield "first"
        await asyncio.get_running_loop().create_future()

    processor = QueueProcessor(ledger(), consumers=1)
    waiting = asyncio.create_task(processor.process_all(silent()))
    await asyncio.sleep(0)
    assert await processor.process_all("ab") == ["done_a", "done_b"]
    waiting.cancel()
    await asyncio.wait([waiting])


def test_a_processor_can_be_used_in_one_loop_after_another(ledger: type[Any]) -> None:
    """In every way, also after a loop that was torn down amid the work. (Q10)"""
    book = ledger()
    processor = QueueProcessor(book)

    async def by_hand() -> None:
        consumer = asyncio.create_task(processor.consumer())
        await asyncio.sleep(0)
        await processor.producer(["a"])
        await consumer
        assert processor.results == ["done_a"]

    async def torn_down() -> None:
        for _ in range(2):
            asyncio.create_task(processor.consumer())  # noqa: RUF006 - left behind on purpose
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def call() -> None:
        assert await processor.process_all("ab") == ["done_a", "done_b"]

    async def serve() -> None:
        async with processor:
            await processor.put("s")

    for scenario in (by_hand, by_hand, torn_down, by_hand, torn_down, call, serve, torn_down, serve):
        asyncio.run(scenario())
    assert book.done["s"] == 2


async def test_wherever_a_consumer_is_cancelled_every_item_is_done_once(
    ledger: type[Any], turns: Callable[[int], Awaitable[None]]
) -> None:
    """Cancelled after any number of turns, one of two consumers leaves all of the work to the other."""
    for count in range(60):
        book = ledger(fail={3})
        processor = QueueProcessor(book, maxsize=2, attempts=2, backoff=Backoff(first=0))
        doomed, other = (asyncio.create_task(processor.consumer()) for _ in range(2))
        producer = asyncio.create_task(processor.producer(range(8)))
        await turns(count)
        doomed.cancel()
        await asyncio.wait([doomed, other, producer])
        assert book.done == dict.fromkeys([0, 1, 2, 4, 5, 6, 7], 1), count
        assert [letter.item for letter in processor.dead_letters] == [3]
        assert (processor.unfinished, processor.queue.qsize()) == ([], 0)
    assert not doomed.cancelled(), "the sweep did not reach the end"


async def test_wherever_a_producer_is_cancelled_what_it_read_is_processed(
    ledger: type[Any], turns: Callable[[int], Awaitable[None]]
) -> None:
    """Cancelled after any number of turns, a producer has read an item and put it, or has not read it."""
    for count in range(30):
        book, read = ledger(), list[int]()

        def items(read: list[int] = read) -> Any:
            for number in range(8):
                read.append(number)
                yield number

        processor = QueueProcessor(book, maxsize=1)
        consumer = asyncio.create_task(processor.consumer())
        producer = asyncio.create_task(processor.producer(items()))
        await turns(count)
        producer.cancel()
        await asyncio.wait([producer])
        if not read:
            # It was never begun, so nobody has said anything about an end.
            processor.queue.close()
        await consumer
        assert sorted(book.done.elements()) == read, count
    assert not producer.cancelled(), "the sweep did not reach the end"


async def test_a_failed_producer_ends_its_input(ledger: type[Any]) -> None:
    """Its error is its caller's; the consumers do what came before, and end."""

    def items() -> Any:
        yield "a"
        raise OSError("gone")

    processor = QueueProcessor(ledger())
    consumer = asyncio.create_task(processor.consumer())
    with pytest.raises(OSError, match="gone"):
        await processor.producer(items())
    await consumer
    assert processor.results == ["done_a"]


async def test_by_hand_a_failure_for_good_reaches_consumer_and_producer(ledger: type[Any]) -> None:
    """With on_failure="raise" a producer that waits for room is not left waiting; the next run starts afresh. (Q4)"""
    book = ledger(fail={1})
    processor = QueueProcessor(book, attempts=1, maxsize=1, on_failure="raise")
    consumer, producer = (
        asyncio.create_task(processor.consumer()),
        asyncio.create_task(processor.producer(range(9))),
    )
    results = await asyncio.gather(consumer, producer, return_exceptions=True)
    assert [type(result) for result in results] == [ItemFailed, ItemFailed]
    assert dict(book.started) == {0: 1, 1: 1}
    left = processor.unfinished
    processor.queue.close()
    await processor.consumer()
    assert sorted(book.done) == [0, *left]


async def test_after_a_shutdown_the_next_run_begins_afresh(ledger: type[Any]) -> None:
    """The processor is not used up."""
    processor = QueueProcessor(ledger())
    assert await processor.shutdown() == []
    consumer = asyncio.create_task(processor.consumer())
    await asyncio.sleep(0)
    await processor.producer("ab")
    await consumer
    assert processor.results == ["done_a", "done_b"]


async def test_a_subclass_can_say_what_is_done_with_an_item() -> None:
    """process_item() is the hook."""

    class Doubling(QueueProcessor[int, int]):
        async def process_item(self, item: int) -> int:
            return 2 * item

    assert await Doubling(consumers=2).process_all([1, 2, 3]) == [2, 4, 6]


async def test_a_handler_cannot_wait_for_its_own_processor(ledger: type[Any]) -> None:
    """It would wait for itself: that is said, not hung on."""
    caught = []

    async def handle(item: str) -> None:
        for call in (processor.process_all("x"), processor.join(), processor.shutdown(), processor.consumer()):
            with pytest.raises(CalledFromHandler) as error:
                await call
            caught.append(str(error.value).split(" ", 1)[0])

    processor: QueueProcessor[str, None] = QueueProcessor(handle)
    await processor.process_all("a")
    assert caught == ["process_all()", "join()", "shutdown()", "consumer()"]


@pytest.mark.parametrize("arguments", [{"consumers": 0}, {"attempts": 0}, {"maxsize": 0}, {"on_failure": "ignore"}])
def test_arguments_that_cannot_work_are_refused_by_name(arguments: dict[str, Any]) -> None:
    """At once, not as a call that hangs."""
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        QueueProcessor(**arguments)


async def test_repr_says_how_it_stands(ledger: type[Any]) -> None:
    """Numbers only: items may be secrets."""
    processor = QueueProcessor(ledger(fail={"b"}), attempts=1, consumers=2)
    await processor.process_all("ab")
    assert repr(processor) == "<QueueProcessor: 2 consumer(s), 0 waiting, 1 results, 1 dead letters>"
