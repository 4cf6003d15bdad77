"""Draining, stopping, cancelling."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import QueueProcessor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import TaskBuilders, VirtualClock


async def seconds(item: float) -> float:
    await asyncio.sleep(item)
    return item


async def started(processor: QueueProcessor[Any, Any], items: list[float]) -> asyncio.Task[None]:
    for item in items:
        await processor.queue.put(item)
    consumer = asyncio.create_task(processor.consumer())
    await asyncio.sleep(0)
    return consumer


async def test_with_time_enough_everything_is_done(virtual_clock: VirtualClock) -> None:
    """The deadline is a limit, not a wait."""
    processor = QueueProcessor(seconds)
    consumer = await started(processor, [1, 1])
    assert await processor.shutdown(drain=10) == []
    await consumer
    assert (processor.results, virtual_clock.now) == ([1, 1], 2)


async def test_after_the_drain_the_item_in_hand_may_finish(virtual_clock: VirtualClock) -> None:
    """But no other is started."""
    processor = QueueProcessor(seconds)
    consumer = await started(processor, [3, 1])
    assert await processor.shutdown(drain=1, grace=10) == [1]
    await consumer
    assert (processor.results, virtual_clock.now) == ([3], 3)


async def test_after_the_grace_the_item_in_hand_is_handed_back(virtual_clock: VirtualClock) -> None:
    """A consumer() of the user's returns then; its task is not cancelled and can go on."""
    processor = QueueProcessor(seconds)

    async def mine() -> str:
        await processor.consumer()
        await asyncio.sleep(0)
        return "went on"

    for item in (30, 1):
        await processor.queue.put(item)
    task = asyncio.create_task(mine())
    await asyncio.sleep(0)
    assert await processor.shutdown(drain=1, grace=2) == [30, 1]
    assert await task == "went on"
    assert virtual_clock.now == pytest.approx(3)


async def test_a_cleanup_that_takes_its_time_is_waited_for(virtual_clock: VirtualClock) -> None:
    """shutdown() returns when the handlers have ended, not when they were told to."""
    cleaned = []

    async def handle(item: str) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(5)
            cleaned.append(item)

    async with QueueProcessor(handle) as processor:
        await processor.put("x")
        await asyncio.sleep(0)
        assert await processor.shutdown(drain=0, grace=0) == ["x"]
        assert cleaned == ["x"]


async def test_a_cancelled_shutdown_can_be_repeated(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]], virtual_clock: VirtualClock
) -> None:
    """It has cut nothing off; a second one with less patience does."""
    async with QueueProcessor(tasks.never()) as processor:
        await processor.put("x")
        patient = asyncio.create_task(processor.shutdown())
        await settle()
        patient.cancel()
        await settle()
        assert patient.cancelled()
        assert await processor.shutdown(drain=0, grace=0) == ["x"]
