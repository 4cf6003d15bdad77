"""Move items from an iterable into a channel, at the pace of those who take them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from queue_processor.channel import Channel

T = TypeVar("T")


async def feed(channel: Channel[T], items: Iterable[T] | AsyncIterable[T]) -> None:
    """Put every item of an iterable or async iterable; at most one is taken from it before there is room.

    Cancelled, or when the channel is closed, the one that was taken is accepted all the same: it is gone from
    its source. An async generator that was not read to its end is then closed.
    """
    if not isinstance(items, AsyncIterable):
        for item in items:
            if channel.has_room():
                channel.push(item)
            else:
                await _put(channel, item)
        return
    async with contextlib.AsyncExitStack() as closing:
        if isinstance(items, AsyncGenerator):
            closing.push_async_callback(items.aclose)
        async for item in items:
            await _put(channel, item)


async def _put(channel: Channel[T], item: T) -> None:
    try:
        await channel.put(item)
    except BaseException:
        channel.push(item)
        raise
