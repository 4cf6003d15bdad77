"""Give each path one writer at a time, in the order of asking.

Two writers of one file would share its side-car, and the last rename would win over the other's lines. The locks
are the process's, not a handler's or a loop's: two handlers, or two loops in two threads, exclude each other too.
(asyncio.Lock belongs to one loop; threading.Lock would block the loop.) Other processes are kept out by the side-car.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable


class Turnstile:
    """Lets `places` holders in at once, first come, first served, from any loop of any thread."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[Future[None]] = deque()
        self._guard = threading.Lock()

    async def enter(self) -> None:
        """Wait for a place. Cancelling it gives up the wait, and a place that has just been given goes on."""
        with self._guard:
            if self._free:
                self._free -= 1
                return
            turn: Future[None] = Future()
            self._waiting.append(turn)
        try:
            await asyncio.wrap_future(turn)
        except BaseException:
            # False: leave() gave us the place before we could withdraw.
            if not turn.cancelled() and not turn.cancel():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to whoever waits longest. May be called from any thread."""
        with self._guard:
            while self._waiting:
                turn = self._waiting.popleft()
                try:
                    turn.set_result(None)
                except InvalidStateError:  # it was cancelled: the next one
                    continue
                return
            self._free += 1


class PathLocks:
    """One lock for each key in use; a key that nobody holds or awaits takes no memory."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Hashable, tuple[Turnstile, int]] = {}

    async def acquire(self, key: Hashable) -> None:
        with self._guard:
            lock, users = self._locks.get(key) or (Turnstile(1), 0)
            self._locks[key] = lock, users + 1
        try:
            await lock.enter()
        except BaseException:
            self._forget_one(key)
            raise

    def release(self, key: Hashable) -> None:
        """Let the next one in. May be called from any thread."""
        lock, _ = self._locks[key]
        lock.leave()
        self._forget_one(key)

    def _forget_one(self, key: Hashable) -> None:
        with self._guard:
            lock, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = lock, users - 1

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        await self.acquire(key)
        try:
            yield
        finally:
            self.release(key)

    def __len__(self) -> int:
        return len(self._locks)


# Of the process, as the files are.
PATH_LOCKS = PathLocks()
