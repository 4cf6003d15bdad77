"""One process_all()."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import Backoff, ItemFailed, QueueProcessor, Results

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


async def test_results_come_in_the_order_of_the_items() -> None:
    """Whichever consumer is done first."""

    async def handle(item: int) -> int:
        for _ in range(10 - item):
            await asyncio.sleep(0)
        return item * item

    processor = QueueProcessor(handle, consumers=10)
    results = await processor.process_all(range(10))
    assert results == [number * number for number in range(10)]
    assert isinstance(results, Results)
    assert processor.results == list(reversed(results))


async def test_dead_letters_of_one_call_are_its_own(ledger: type[Any]) -> None:
    """Each result says which of its items failed, by their place in the input."""
    processor = QueueProcessor(ledger(fail={"b", "z"}), attempts=1)
    first, second = await asyncio.gather(processor.process_all("abc"), processor.process_all("xyz"))
    assert [(letter.number, letter.item) for letter in first.dead_letters] == [(1, "b")]
    assert [(letter.number, letter.item) for letter in second.dead_letters] == [(2, "z")]
    assert (first, second) == (["done_a", "done_c"], ["done_x", "done_y"])
    assert {letter.item for letter in processor.dead_letters} == {"b", "z"}


async def test_an_error_of_the_source_comes_out_as_it_is_and_leaves_nothing_running(ledger: type[Any]) -> None:
    """No group around it, no handler behind it, and what had been read is told."""

    def items() -> Iterator[int]:
        yield from range(3)
        raise OSError("the disk is gone")

    book = ledger(steps=1000)
    processor = QueueProcessor(book, consumers=2)
    with pytest.raises(OSError, match="the disk is gone"):
        await processor.process_all(items())
    assert len(asyncio.all_tasks()) == 1
    assert book.running == 0
    assert sorted([*processor.unfinished, *book.done]) == [0, 1, 2]


async def test_failing_for_good_ends_the_call_even_while_the_source_is_silent(ledger: type[Any]) -> None:
    """With on_failure="raise" nobody has to wait for the next item to learn of it."""

    async def items() -> AsyncIterator[str]:
        yield "bad"
        await asyncio.get_running_loop().create_future()

    processor = QueueProcessor(ledger(fail={"bad"}), attempts=1, on_failure="raise")
    with pytest.raises(ItemFailed, match=r"1 attempt\(s\): ValueError: bad bad") as failure:
        await processor.process_all(items())
    assert failure.value.dead_letter.item == "bad"
    assert isinstance(failure.value.__cause__, ValueError)


async def test_after_a_failure_for_good_no_later_item_is_started(ledger: type[Any]) -> None:
    """One consumer that writes in order leaves no gap behind."""
    book = ledger(fail={2})
    processor = QueueProcessor(book, attempts=2, backoff=Backoff(first=0), on_failure="raise")
    with pytest.raises(ItemFailed):
        await processor.process_all(range(10))
    assert dict(book.started) == {0: 1, 1: 1, 2: 2}
    assert processor.unfinished == [3, 4, 5, 6, 7, 8, 9]


async def test_wherever_the_call_is_cancelled_every_item_is_accounted_for(
    ledger: type[Any], turns: Callable[[int], Awaitable[None]]
) -> None:
    """Cancelled after any number of turns: read = done + dead + unfinished, each once, and nothing runs on."""
    for count in range(60):
        book = ledger(steps=2, fail={3, 7})
        processor = QueueProcessor(book, consumers=3, maxsize=2, attempts=2, backoff=Backoff(first=0))
        read: list[int] = []

        def items(read: list[int] = read) -> Iterator[int]:
            for number in range(12):
                read.append(number)
                yield number

        call = asyncio.create_task(processor.process_all(items()))
        await turns(count)
        call.cancel()
        await asyncio.wait([call])
        dead = [letter.item for letter in processor.dead_letters]
        assert sorted([*book.done.elements(), *dead, *processor.unfinished]) == read, count
        assert len(asyncio.all_tasks()) == 1
        assert book.running == 0
    assert not call.cancelled(), "the sweep did not reach the end"


async def test_a_cancelled_call_waits_for_the_cleanup_of_its_handlers(settle: Callable[[], Awaitable[None]]) -> None:
    """Cancelled once more meanwhile, it still leaves no handler behind."""
    cleaning, cleaned = asyncio.Event(), []

    async def handle(item: int) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await cleaning.wait()
            cleaned.append(item)

    call = asyncio.create_task(QueueProcessor(handle, consumers=2).process_all(range(2)))
    await settle()
    for _ in range(2):
        call.cancel()
        await settle()
    assert not call.done()
    cleaning.set()
    await asyncio.wait([call])
    assert call.cancelled()
    assert sorted(cleaned) == [0, 1]
