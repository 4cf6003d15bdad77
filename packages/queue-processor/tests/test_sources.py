"""From an iterable into a channel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import QueueClosed
from queue_processor.channel import Channel
from queue_processor.sources import feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


class Source:
    """Counts what was read from it, either way, and knows whether it was closed."""

    def __init__(self) -> None:
        self.read = 0
        self.closed = False

    def items(self) -> Iterator[int]:
        while True:
            self.read += 1
            yield self.read

    async def async_items(self) -> AsyncIterator[int]:
        try:
            while True:
                await asyncio.sleep(0)
                self.read += 1
                yield self.read
        finally:
            self.closed = True


@pytest.mark.parametrize("kind", ["items", "async_items"])
async def test_an_endless_source_is_read_only_as_far_as_there_is_room(
    kind: str, settle: Callable[[], Awaitable[None]], reap: Callable[..., Awaitable[None]]
) -> None:
    """One item is held ready, and no further one is read until it is in. Cancelled, even that one is accepted."""
    source, channel = Source(), Channel[int](3)
    feeder = asyncio.create_task(feed(channel, getattr(source, kind)()))
    await settle()
    assert (source.read, len(channel.waiting)) == (4, 3)
    channel.take_nowait()
    await settle()
    assert (source.read, len(channel.waiting)) == (5, 3)
    await reap(feeder)
    assert [delivery.item for delivery in channel.waiting] == [2, 3, 4, 5]


async def test_an_async_generator_that_is_not_read_to_its_end_is_closed(
    settle: Callable[[], Awaitable[None]], reap: Callable[..., Awaitable[None]]
) -> None:
    """Its cleanup runs now, not whenever the garbage is collected."""
    source = Source()
    feeder = asyncio.create_task(feed(Channel[int](1), source.async_items()))
    await settle()
    assert not source.closed
    await reap(feeder)
    assert source.closed


async def test_an_item_in_hand_when_the_channel_closes_is_kept(settle: Callable[[], Awaitable[None]]) -> None:
    """It is gone from its source, so dropping it would lose it; the feeder is told that no more is taken."""
    channel: Channel[Any] = Channel(1)
    feeder = asyncio.create_task(feed(channel, ["a", "b", "c"]))
    await settle()
    channel.close()
    with pytest.raises(QueueClosed):
        await feeder
    assert [delivery.item for delivery in channel.waiting] == ["a", "b"]
