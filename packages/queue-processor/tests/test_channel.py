"""The bounded queue that ends, takes back, and loses nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import QueueClosed
from queue_processor.channel import Channel, Delivery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Taker:
    stopping = False


def waiting(channel: Channel[Any]) -> list[Any]:
    return [delivery.item for delivery in channel.waiting]


def taken(channel: Channel[Any]) -> Delivery[Any]:
    delivery = channel.take_nowait()
    assert delivery is not None
    return delivery


@pytest.mark.parametrize("maxsize", [0, -1])
def test_an_unbounded_channel_is_refused(maxsize: int) -> None:
    """Without a bound there is no backpressure."""
    with pytest.raises(ValueError, match=f"maxsize={maxsize}.*1 or more"):
        Channel(maxsize)


async def test_put_waits_for_room(settle: Callable[[], Awaitable[None]]) -> None:
    """No more than maxsize items wait; the next put waits until one is taken."""
    channel: Channel[int] = Channel(2)
    puts = [asyncio.create_task(channel.put(number)) for number in range(3)]
    await settle()
    assert waiting(channel) == [0, 1]
    assert taken(channel).item == 0
    await settle()
    assert waiting(channel) == [1, 2]
    await asyncio.gather(*puts)


async def test_the_end_comes_after_what_is_in_work(settle: Callable[[], Awaitable[None]]) -> None:
    """While an item is in work it may come back, so who takes is told of the end only when it is acknowledged."""
    channel: Channel[str] = Channel(5)
    channel.push("a")
    delivery = taken(channel)
    taker = asyncio.create_task(channel.take(Taker()))
    channel.end()
    await settle()
    assert not taker.done()
    channel.nack(delivery)
    await settle()
    assert await taker is delivery
    channel.ack()
    assert await channel.take(Taker()) is None


async def test_what_is_handed_back_comes_first_and_in_order() -> None:
    """Items that come back, in whatever order, stand before everything that was accepted after them."""
    channel: Channel[str] = Channel(9)
    for item in "abcd":
        channel.push(item)
    first, second, third = (taken(channel) for _ in range(3))
    for delivery in (second, first, third):
        channel.nack(delivery)
    assert waiting(channel) == ["a", "b", "c", "d"]
    assert [delivery.handed_back for delivery in channel.waiting] == [1, 1, 1, 0]


async def test_closing_wakes_everybody(settle: Callable[[], Awaitable[None]]) -> None:
    """Who waits to put is refused, who waits to take is told of the end, who joins goes on waiting for the rest."""
    full: Channel[int] = Channel(1)
    full.push(1)
    put = asyncio.create_task(full.put(2))
    empty: Channel[int] = Channel(1)
    take = asyncio.create_task(empty.take(Taker()))
    join = asyncio.create_task(full.settled())
    await settle()
    full.close()
    empty.close()
    with pytest.raises(QueueClosed, match="not accepted"):
        await put
    assert await take is None
    assert not join.done()
    taken(full)
    full.ack()
    await join


async def test_a_taker_that_stops_leaves_its_wake_up_to_another(settle: Callable[[], Awaitable[None]]) -> None:
    """Woken for an item and told to stop in the same turn, a taker lets the next one have the item."""
    channel: Channel[str] = Channel(1)
    stopping, going = Taker(), Taker()
    first = asyncio.create_task(channel.take(stopping))
    second = asyncio.create_task(channel.take(going))
    await settle()
    channel.push("a")
    stopping.stopping = True
    assert await first is None
    delivery = await second
    assert delivery is not None
    assert delivery.item == "a"


async def test_no_item_is_lost_wherever_a_taker_is_cancelled(
    settle: Callable[[], Awaitable[None]], turns: Callable[[int], Awaitable[None]]
) -> None:
    """Cancelled after any number of turns, before or after it was woken, a taker has taken an item or has not."""
    for count in range(8):
        channel: Channel[int] = Channel(4)
        takers = [asyncio.create_task(channel.take(Taker())) for _ in range(3)]
        await turns(count // 2)
        channel.push(1)
        channel.push(2)
        await turns(count % 2)
        takers[0].cancel()
        await settle()
        got = [task.result() for task in takers if task.done() and not task.cancelled()]
        assert sorted(delivery.item for delivery in got if delivery) == [1, 2]
        channel.end()
        for _ in got:
            channel.ack()
        await asyncio.gather(*takers, return_exceptions=True)


async def test_no_room_is_lost_wherever_a_putter_is_cancelled(
    settle: Callable[[], Awaitable[None]], turns: Callable[[int], Awaitable[None]]
) -> None:
    """Cancelled after any number of turns, a putter leaves its place to the next one; it has put, or has not."""
    for count in range(8):
        channel: Channel[int] = Channel(1)
        channel.push(0)
        putters = [asyncio.create_task(channel.put(number)) for number in (1, 2)]
        await turns(count // 2)
        taken(channel)
        await turns(count % 2)
        putters[0].cancel()
        await settle()
        if putters[0].cancelled():
            assert waiting(channel) == [2]
        else:
            assert waiting(channel) == [1]
            taken(channel)
        await putters[1]
        assert channel.unfinished == (2 if putters[0].cancelled() else 3)
