"""``async with QueueProcessor(…) as processor``."""

# ruff: noqa: PT012 - leaving the block of `async with` is what raises
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import (
    Backoff,
    ConsumersGone,
    ItemFailed,
    ProcessorNotRunning,
    QueueClosed,
    QueueProcessor,
    UnfinishedWork,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import TaskBuilders, VirtualClock


async def test_leaving_drains(ledger: type[Any]) -> None:
    """What was put is done when the block has been left; results are not kept, and no task is."""
    book = ledger()
    async with QueueProcessor(book, consumers=3, maxsize=4) as processor:
        for item in [*range(50), None]:
            await processor.put(item)
    assert len(book.done) == 51
    assert book.peak == 3
    assert (processor.results, processor.unfinished) == ([], [])
    assert len(asyncio.all_tasks()) == 1


async def test_an_exception_in_the_block_cancels_and_keeps_what_was_not_done(
    ledger: type[Any], settle: Callable[[], Awaitable[None]]
) -> None:
    """It comes out as it is; items in work are handed back."""
    book = ledger(steps=1000)
    with pytest.raises(OSError, match="gone"):
        async with QueueProcessor(book, consumers=2) as processor:
            for number in range(5):
                await processor.put(number)
            await asyncio.sleep(0)
            raise OSError("gone")
    assert processor.unfinished == [0, 1, 2, 3, 4]
    assert book.running == 0


async def test_entered_again_it_goes_on_where_it_was_interrupted(ledger: type[Any]) -> None:
    """Unfinished items are still queued."""
    book = ledger()
    processor = QueueProcessor(book)
    with pytest.raises(OSError, match="gone"):
        async with processor:
            await processor.put("a")
            raise OSError("gone")
    async with processor:
        await processor.put("b")
    assert list(book.done) == ["a", "b"]


async def test_a_drain_that_takes_too_long_says_what_was_not_done(
    tasks: TaskBuilders, virtual_clock: VirtualClock
) -> None:
    """After the drain no item is started, after the grace those in work are cancelled."""
    work = tasks.does(asyncio.sleep, turns=0)
    processor = QueueProcessor(work, consumers=2, drain=5, grace=2)
    with pytest.raises(UnfinishedWork, match="2 accepted") as late:
        async with processor:
            for seconds in (6, 60, 1):
                await processor.put(seconds)
    assert late.value.items == [60, 1]
    assert (work.calls, work.succeeded, work.cancelled) == (2, 1, 1)
    assert virtual_clock.now == pytest.approx(7)


async def test_the_producer_learns_at_once_that_an_item_failed_for_good(ledger: type[Any]) -> None:
    """With on_failure="raise" the next put raises, the one that waits for room too, and nothing later is started."""
    book = ledger(fail={2})
    put = []
    with pytest.raises(ItemFailed, match=r"ValueError: bad 2") as failure:
        async with QueueProcessor(book, maxsize=2, attempts=1, on_failure="raise") as sink:
            for number in range(100):
                await sink.put(number)
                put.append(number)
    assert failure.value.dead_letter.item == 2
    assert list(book.started) == [0, 1, 2]
    assert [*book.done, 2, *sink.unfinished] == put
    assert len(put) < 8


async def test_leaving_raises_what_no_put_has_told(ledger: type[Any]) -> None:
    """The last item may be the one that fails."""
    with pytest.raises(ItemFailed):
        async with QueueProcessor(ledger(fail={"bad"}), attempts=1, on_failure="raise") as sink:
            await sink.put("bad")


async def test_collecting_failures_raises_nothing(ledger: type[Any]) -> None:
    """By default a dead letter stops nobody."""
    async with QueueProcessor(ledger(fail={"bad"}), attempts=2, backoff=Backoff(first=0)) as processor:
        for item in ("bad", "good"):
            await processor.put(item)
        await processor.join()
        assert [letter.item for letter in processor.dead_letters] == ["bad"]


async def test_join_raises_when_the_rest_will_never_be_done(ledger: type[Any]) -> None:
    """It does not wait for items that nobody is going to start."""
    with pytest.raises(ItemFailed):
        async with QueueProcessor(ledger(fail={1}), attempts=1, on_failure="raise") as sink:
            for number in range(5):
                await sink.put(number)
            await sink.join()


async def test_a_handler_may_put_more_even_on_a_full_queue_and_while_it_drains() -> None:
    """Waiting for room it would wait for itself; leaving waits for what it puts."""
    seen = []

    async def crawl(depth: int) -> None:
        seen.append(depth)
        if depth:
            for _ in range(2):
                await processor.put(depth - 1)

    async with QueueProcessor(crawl, maxsize=1) as processor:
        await processor.put(4)
    assert len(seen) == 31


async def test_calls_and_producers_work_inside_the_block(ledger: type[Any]) -> None:
    """process_all() and producer() may be used while the service runs, and do not end it."""
    book = ledger()
    async with QueueProcessor(book, consumers=2) as processor:
        await processor.producer("ab")
        assert await processor.process_all("cd") == ["done_c", "done_d"]
        await processor.put("e")
    assert sorted(book.done) == list("abcde")
    assert book.peak <= 2


async def test_shutdown_stops_accepting_and_tells_what_was_left(
    tasks: TaskBuilders, virtual_clock: VirtualClock, settle: Callable[[], Awaitable[None]]
) -> None:
    """As at SIGTERM; leaving the block does not complain of what shutdown() has told."""
    async with QueueProcessor(tasks.never(), maxsize=2) as processor:
        for item in "abc":
            await processor.put(item)
        blocked = asyncio.create_task(processor.put("d"))
        await settle()
        assert await processor.shutdown(drain=3, grace=1) == ["a", "b", "c"]
        with pytest.raises(QueueClosed):
            await blocked
        with pytest.raises(QueueClosed):
            await processor.put("e")
    assert virtual_clock.now == pytest.approx(4)


async def test_wherever_leaving_is_cancelled_every_item_is_accounted_for(
    ledger: type[Any], turns: Callable[[int], Awaitable[None]]
) -> None:
    """Cancelled after any number of turns: accepted = done + dead + unfinished, each once, and nothing runs on."""
    for count in range(40):
        book, accepted = ledger(fail={3}), list[int]()
        processor = QueueProcessor(book, consumers=2, maxsize=2, attempts=2, backoff=Backoff(first=0))

        async def use(processor: QueueProcessor[int, str] = processor, accepted: list[int] = accepted) -> None:
            async with processor:
                for number in range(8):
                    await processor.put(number)
                    accepted.append(number)

        user = asyncio.create_task(use())
        await turns(count)
        user.cancel()
        await asyncio.wait([user])
        dead = [letter.item for letter in processor.dead_letters]
        assert sorted([*book.done.elements(), *dead, *processor.unfinished]) == accepted, count
        assert len(asyncio.all_tasks()) == 1
        assert book.running == 0
    assert not user.cancelled(), "the sweep did not reach the end"


async def test_wherever_a_shutdown_falls_every_item_is_accounted_for(
    ledger: type[Any], turns: Callable[[int], Awaitable[None]], virtual_clock: VirtualClock
) -> None:
    """Shut down without time to drain after any number of turns, amid putting: nothing is lost or done twice."""
    for count in range(40):
        book, accepted = ledger(steps=3), list[int]()
        processor = QueueProcessor(book, consumers=2, maxsize=2)

        async def use(processor: QueueProcessor[int, str] = processor, accepted: list[int] = accepted) -> None:
            for number in range(8):
                await processor.put(number)
                accepted.append(number)

        async with processor:
            user = asyncio.create_task(use())
            await turns(count)
            left = await processor.shutdown(drain=0, grace=0)
            await asyncio.wait([user])
            assert user.exception() is None or isinstance(user.exception(), QueueClosed)
        assert sorted([*book.done.elements(), *left]) == accepted, count
        assert processor.unfinished == left
    assert user.exception() is None, "the sweep did not reach the end"


async def test_consumers_that_somebody_cancelled_are_missed(ledger: type[Any]) -> None:
    """Putting into a queue that nobody reads any more is an error, not a wait for ever."""
    with pytest.raises(ConsumersGone):
        async with QueueProcessor(ledger(), maxsize=1, consumers=2) as processor:
            for task in asyncio.all_tasks():
                if task.get_name().startswith("queue-processor consumer"):
                    task.cancel()
            for number in range(3):
                await processor.put(number)
    assert processor.unfinished[:1] == [0]


async def test_set_to_not_running_it_closes(ledger: type[Any]) -> None:
    """Nobody is left to wait for a consumer that has been stopped."""
    async with QueueProcessor(ledger()) as processor:
        processor.running = True
        assert processor.running
        processor.running = False
        with pytest.raises(QueueClosed):
            await processor.put("a")


async def test_it_is_entered_once_and_put_only_inside(ledger: type[Any]) -> None:
    """Errors of use say what to do."""
    processor = QueueProcessor(ledger())
    with pytest.raises(ProcessorNotRunning, match="inside `async with`"):
        await processor.put("a")
    async with processor:
        with pytest.raises(ProcessorNotRunning, match="entered already"):
            await processor.__aenter__()
        await processor.put("b")
    with pytest.raises(ProcessorNotRunning, match="inside `async with`"):
        await processor.put("c")


async def test_a_shutdown_before_the_consumers_have_begun_waits_for_them(ledger: type[Any]) -> None:
    """Put and shut down without a turn of the loop in between, the item is still done."""
    book = ledger()
    async with QueueProcessor(book) as processor:
        await processor.put("a")
        assert await processor.shutdown() == []
    assert book.done["a"] == 1


async def test_consumers_cancelled_before_they_have_begun_are_not_waited_for(tasks: TaskBuilders) -> None:
    """A task that never ran has nothing to drain."""
    with pytest.raises(ConsumersGone):
        async with QueueProcessor(tasks.never(), consumers=2):
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()


async def test_join_does_not_wait_for_what_a_shutdown_has_left(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]]
) -> None:
    """Who joins learns what will not be done, whether they waited before or ask after it."""
    async with QueueProcessor(tasks.never()) as processor:
        for item in "ab":
            await processor.put(item)
        joins = [asyncio.create_task(join()) for join in (processor.join, processor.queue.join)]
        await settle()
        await processor.shutdown(drain=0, grace=0)
        for join in (*joins, processor.join()):
            with pytest.raises(UnfinishedWork) as left:
                await join
            assert left.value.items == ["a", "b"]


async def test_who_joins_while_it_drains_learns_of_the_failure_itself(
    ledger: type[Any], settle: Callable[[], Awaitable[None]]
) -> None:
    """Not only that something was left undone by it."""
    with pytest.raises(ItemFailed):
        async with QueueProcessor(ledger(fail={1}), attempts=1, on_failure="raise") as sink:
            for number in range(3):
                await sink.put(number)
            join = asyncio.create_task(sink.join())
            await asyncio.sleep(0)
    with pytest.raises(ItemFailed):
        await join


async def test_who_waits_to_put_is_told_that_the_block_was_left(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]]
) -> None:
    """An exception ends the service; nobody will make room any more."""
    processor = QueueProcessor[int, None](tasks.never(), maxsize=1)
    started: list[asyncio.Task[None]] = []
    with pytest.raises(OSError, match="gone"):
        async with processor:
            await processor.put(1)
            await settle()
            await processor.put(2)
            started.append(asyncio.create_task(processor.put(3)))
            await settle()
            raise OSError("gone")
    await settle()
    (waiting,) = started
    assert waiting.done()
    with pytest.raises(QueueClosed):
        await waiting
    assert processor.unfinished == [1, 2]
