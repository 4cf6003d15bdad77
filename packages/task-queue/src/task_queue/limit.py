"""How many tasks of one queue may run at once, whichever calls they came in by.

Not asyncio.Semaphore: its uncontended acquire is a coroutine call for every task, and this one's is a
comparison that the hot loop writes out (`if limit.free: limit.free -= 1`).
"""

from __future__ import annotations

import asyncio
from collections import deque

from task_queue.errors import QueueInUseError


class Limit:
    """`size` places, handed on in the order in which they were asked for."""

    __slots__ = ("_loop", "_runs", "free", "size", "waiting")

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size
        """Places that nobody has and nobody waits for."""
        self.waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runs = 0

    @property
    def runs(self) -> int:
        """How many runs share the places right now."""
        return self._runs

    def enter(self) -> None:
        """A run begins in the running loop. Raises QueueInUseError while another loop has one."""
        loop = asyncio.get_running_loop()
        if self._runs and self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise QueueInUseError(
                    "this AsyncTaskQueue is working in another event loop, whose tasks cannot be waited for from here; "
                    "give each loop a queue of its own, or wait until the other one's calls have returned"
                )
            # That loop was closed over its running tasks: they will never give their places back.
            self.free, self._runs = self.size, 0
            self.waiting.clear()
        self._loop = loop
        self._runs += 1

    def leave(self) -> None:
        """The run has ended and has given back its places."""
        if self._loop is asyncio.get_running_loop():
            self._runs -= 1

    async def wait(self) -> None:
        """Return with a place, in one's turn. Cancelled, it has none."""
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # The place may have been handed over in the very turn of the cancellation: pass it on.
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """Hand the place to whoever waits the longest, or keep it free."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1
