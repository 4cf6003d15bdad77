"""The futures of those who wait for one thing.

The trap that this file exists for: a waiter that is woken and cancelled in the same turn of the loop
takes the wake-up with it, and the next one sleeps for ever beside a free slot. Here it is passed on.
"""

from __future__ import annotations

import asyncio
from collections import deque

from queue_processor.errors import WrongEventLoop


class Waiters(deque["asyncio.Future[None]"]):
    """First come, first woken. A deque, so that asking whether anybody waits costs next to nothing."""

    __slots__ = ()

    async def wait(self) -> None:
        """Return when woken. The caller looks again whether what it wants is there: another may have been faster.

        Cancelled after it was woken, it wakes the next one in its place.
        """
        loop = asyncio.get_running_loop()
        self._forget_closed_loops(loop)
        waiter: asyncio.Future[None] = loop.create_future()
        self.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self.wake_one()
            elif waiter in self:
                self.remove(waiter)
            raise

    def wake_one(self) -> bool:
        """Wake who waits longest; False when nobody does."""
        while self:
            waiter = self.popleft()
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(None)
                return True
        return False

    def wake_all(self) -> None:
        for _ in range(len(self)):
            self.wake_one()

    def _forget_closed_loops(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self or self[0].get_loop() is loop:
            return
        if not self[0].get_loop().is_closed():
            raise WrongEventLoop(
                "this queue has waiters in another event loop that is still open; "
                "use one processor per event loop, or wait until the other has finished"
            )
        self.clear()
