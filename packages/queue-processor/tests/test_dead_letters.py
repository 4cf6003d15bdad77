"""What is kept of an item that failed for good, and what is not."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from queue_processor import Backoff, QueueProcessor
from queue_processor.channel import Delivery
from queue_processor.dead_letters import bury


async def test_a_dead_letter_says_what_why_how_often_and_where() -> None:
    """Item, error, reason, attempts, place in the input, and the line that raised."""

    async def refuse(item: str) -> None:
        raise KeyError(item)

    processor = QueueProcessor(refuse, attempts=2, backoff=Backoff(first=0))
    await processor.process_all(["x"])
    (letter,) = processor.dead_letters
    assert (letter.item, letter.attempts, letter.number) == ("x", 2, 0)
    assert isinstance(letter.error, KeyError)
    assert letter.reason == "KeyError: 'x'"
    assert "raise KeyError(item)" in letter.trace.format()[-1]


async def test_a_dead_letter_does_not_keep_the_handlers_locals_alive() -> None:
    """The list may live for ever; what the failed handlers held must not."""

    class Big:
        pass

    held: list[weakref.ref[Big]] = []

    async def fail(item: int) -> None:
        big = Big()
        held.append(weakref.ref(big))
        try:
            dict[int, int]()[item]
        except KeyError as cause:
            raise ExceptionGroup("both", [ValueError(item)]) from cause

    processor = QueueProcessor(fail, attempts=2, backoff=Backoff(first=0))
    await processor.process_all([1])
    gc.collect()
    assert [reference() for reference in held] == [None, None]
    assert isinstance(processor.dead_letters[0].error.__cause__, KeyError)


def test_errors_that_refer_to_each_other_are_buried_too() -> None:
    """A cycle of causes does not make it run for ever."""
    first, second = ValueError(1), ValueError(2)
    first.__cause__, second.__cause__ = second, first
    delivery: Delivery[Any] = Delivery("x", 0)
    assert bury(delivery, first).error is first
