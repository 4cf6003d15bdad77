"""A fair bound on how many requests are under way.

It stands outside aiohttp's connector, whose own queue loses a wake-up when a request is cancelled
after it was woken (aiohttp issue 9670, still so in 3.14.5): the others then sleep beside a free connection.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Permits:
    """So many at once; the others wait in the order in which they came."""

    def __init__(self, limit: int) -> None:
        self.free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a permit if one is free; if not, ``wait()`` for one."""
        # Nobody waits while a permit is free: release() hands it to the first waiter directly.
        if not self.free:
            return False
        self.free -= 1
        return True

    async def wait(self, *, urgent: bool = False) -> None:
        """Wait until a permit was taken for us; `urgent` goes to the head of the queue.

        A cancelled waiter takes nothing, also when it had just been given a permit.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if urgent:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.release()
            elif turn in self._waiting:  # else release() has met it already, and passed it over
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        """Give the permit to the first who still waits, or back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1
