"""Where an input begins and ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_processor.channel import Channel
from queue_processor.roster import Roster
from queue_processor.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_processor import QueueProcessor


class Desk:
    def __init__(self) -> None:
        self.channel: Channel[Any] = Channel(5)
        self.rounds = Rounds(self.channel, Roster(self.channel))


def consumer() -> Any:
    return object()


def test_the_input_ends_with_the_last_producer() -> None:
    """Not with the first."""
    desk = Desk()
    with desk.rounds.feeding():
        with desk.rounds.feeding():
            pass
        assert not desk.channel.ended
    assert desk.channel.ended


def test_an_end_holds_until_a_consumer_has_seen_it() -> None:
    """Consumers may be started after the producer is done."""
    desk = Desk()
    with desk.rounds.feeding():
        pass
    assert desk.channel.over()
    with desk.rounds.consuming(consumer()):
        assert desk.channel.over()
    assert not desk.channel.ended


def test_a_signal_after_the_round_does_not_end_the_next() -> None:
    """One None for each consumer comes when the consumers may already have left."""
    desk = Desk()
    with desk.rounds.feeding(), desk.rounds.consuming(consumer()):
        pass
    with desk.rounds.consuming(consumer()):
        pass
    desk.rounds.signal()
    assert not desk.channel.ended
    with desk.rounds.consuming(consumer()):
        desk.rounds.signal()
        assert desk.channel.ended


def test_an_end_after_a_shutdown_is_said_about_what_comes_next() -> None:
    """Somebody may want the items that were left to be done, and nothing more."""
    desk = Desk()
    desk.channel.push("left")
    desk.channel.close()
    desk.rounds.signal()
    assert desk.channel.closed
    desk.rounds.end()
    assert (desk.channel.closed, desk.channel.ended) == (False, True)


def test_a_signal_before_anything_else_is_an_end() -> None:
    """An empty input is one too."""
    desk = Desk()
    desk.rounds.signal()
    assert desk.channel.over()


def test_a_new_item_begins_a_new_input() -> None:
    """After it, an end is said about this input again."""
    desk = Desk()
    with desk.rounds.feeding(), desk.rounds.consuming(consumer()):
        pass
    desk.rounds.item()
    assert not desk.channel.ended
    desk.rounds.end()
    assert desk.channel.ended


def test_a_service_outlives_its_producers() -> None:
    """Only a signal for the queue itself, or leaving, ends the input of a service."""
    desk = Desk()
    desk.rounds.serving = True
    with desk.rounds.feeding():
        pass
    assert not desk.channel.ended
    desk.rounds.end()
    assert desk.channel.closed


async def test_consumers_started_after_a_short_input_all_see_its_end(
    ledger: type[Any], make: Callable[..., QueueProcessor[Any, Any]]
) -> None:
    """Even if the first has left before the last has begun."""
    processor = make(ledger(steps=0))
    for size in range(4):
        await processor.producer(range(size))
        await asyncio.gather(*(processor.consumer() for _ in range(3)))
        assert len(processor.results) == size


async def test_a_cancelled_run_leaves_a_processor_that_works(
    ledger: type[Any],
    make: Callable[..., QueueProcessor[Any, Any]],
    turns: Callable[[int], Awaitable[None]],
    reap: Callable[..., Awaitable[None]],
) -> None:
    """Everything cancelled after any number of turns, the next run does what was left, and its own."""
    for count in range(25):
        book = ledger()
        processor = make(book, maxsize=2)
        parties = [asyncio.create_task(processor.consumer()) for _ in range(2)]
        parties.append(asyncio.create_task(processor.producer(range(5))))
        await turns(count)
        await reap(*parties)
        left = processor.unfinished
        assert not any(book.done[item] for item in left)
        consumer = asyncio.create_task(processor.consumer())
        await processor.producer("ab")
        await consumer
        assert all(times == 1 for times in book.done.values()), count
        assert {*left, "a", "b"} <= set(book.done)
        assert processor.unfinished == []
