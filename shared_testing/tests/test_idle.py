"""settle(): the moment when every other task is blocked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import VirtualClock


async def test_settle_waits_for_long_chains_of_turns(settle: Callable[[], Awaitable[None]]) -> None:
    """However many turns the others take, they are through when settle returns."""
    steps: list[int] = []

    async def busy() -> None:
        for step in range(500):
            steps.append(step)
            await asyncio.sleep(0)
        await asyncio.get_running_loop().create_future()

    task = asyncio.ensure_future(busy())
    await settle()
    assert len(steps) == 500
    task.cancel()


async def test_settle_does_not_move_the_clock(
    settle: Callable[[], Awaitable[None]], virtual_clock: VirtualClock
) -> None:
    """A sleeper counts as blocked: it stays asleep."""
    sleeper = asyncio.ensure_future(asyncio.sleep(1))
    await settle()
    assert not sleeper.done()
    assert virtual_clock.now == 0
    await sleeper


async def test_settle_sees_data_that_has_arrived(settle: Callable[[], Awaitable[None]]) -> None:
    """What is in the socket already is handled before settle returns."""
    received: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await settle()
        writer.write(b"hello\n")
        await settle()
        assert received == [b"hello\n"]
        writer.close()
        await writer.wait_closed()
