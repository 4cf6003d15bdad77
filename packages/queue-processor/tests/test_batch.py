"""Who is told of failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_processor.batch import Batch, Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def failing_batch() -> Batch[Any]:
    batch: Batch[Any] = Batch()
    batch.started_one()
    batch.failures.append(Failure(ValueError("bad")))
    return batch


async def test_everybody_who_waits_is_told_and_nobody_who_comes_later(settle: Callable[[], Awaitable[None]]) -> None:
    """Two waiters both hear of a failure; a third, afterwards, does not, and nothing is kept."""
    batch = failing_batch()
    waiting = [asyncio.create_task(batch.finished()) for _ in range(2)]
    await settle()
    assert batch.awaited is True
    batch.settled_one()
    assert [len(failures) for failures in await asyncio.gather(*waiting)] == [1, 1]
    assert await batch.finished() == []
    assert batch.failures == []


async def test_a_cancelled_waiter_has_been_told_nothing(turns: Callable[[int], Awaitable[None]]) -> None:
    """Cancelled after any number of turns, also when all was done already, it leaves the failures to the next."""
    for count in range(5):
        batch = failing_batch()
        waiting = asyncio.create_task(batch.finished())
        await turns(count // 2)
        batch.settled_one()
        await turns(count % 2)
        waiting.cancel()
        await asyncio.wait([waiting])
        told = 0 if waiting.cancelled() else len(waiting.result())
        assert told + len(await batch.finished()) == 1


def test_an_unheard_error_is_reported_once() -> None:
    """Asked again, there is nothing new."""
    batch = failing_batch()
    assert [str(error) for error in batch.unheard()] == ["bad"]
    assert batch.unheard() == []
