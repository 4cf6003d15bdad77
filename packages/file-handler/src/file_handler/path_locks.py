"""Give each path one writer at a time, in the order of asking.

Two writers of one file would share its side-car, and the last rename would win over the other's lines. The locks
are the process's, not a handler's or a loop's: two handlers, or two loops in two threads, exclude each other too.
(asyncio.Lock belongs to one loop; threading.Lock would block the loop.) Other processes are kept out by the side-car.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from file_handler.errors import WriteInsideWrite

if TYPE_CHECKING:
    from collections.abc import Hashable


class Turnstile:
    """Lets `places` holders in at once, first come, first served, from any loop of any thread."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[tuple[Future[None], asyncio.AbstractEventLoop]] = deque()
        self._guard = threading.Lock()

    async def enter(self) -> None:
        """Wait for a place. Cancelling it gives up the wait, and a place that has just been given goes on."""
        with self._guard:
            if self._free:
                self._free -= 1
                return
            turn: Future[None] = Future()
            self._waiting.append((turn, asyncio.get_running_loop()))
        try:
            await asyncio.wrap_future(turn)
        except BaseException:
            # False: leave() gave us the place before we could withdraw.
            if not turn.cancel():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to whoever waits longest. May be called from any thread."""
        with self._guard:
            while self._waiting:
                turn, loop = self._waiting.popleft()
                # Nobody waits any more in a loop that was closed, nor for a turn that was cancelled.
                if not loop.is_closed() and turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            self._free += 1


@dataclass(slots=True)
class _Lock:
    turnstile: Turnstile = field(default_factory=lambda: Turnstile(1))
    users: int = 0
    owner: asyncio.Task[object] | None = None


class PathLocks:
    """One lock for each key in use; a key that nobody holds or awaits takes no memory."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Hashable, _Lock] = {}

    async def acquire(self, key: Hashable) -> None:
        """Wait for the key's turn. Raises `WriteInsideWrite` where the task would wait for itself."""
        task = asyncio.current_task()
        with self._guard:
            lock = self._locks.setdefault(key, _Lock())
            if lock.owner is not None and lock.owner is task:
                raise WriteInsideWrite(
                    "this task is already writing to the same file and would wait for itself; "
                    "finish write_stream() before its source writes there"
                )
            lock.users += 1
        try:
            await lock.turnstile.enter()
        except BaseException:
            self._forget_one(key)
            raise
        lock.owner = task

    def disown(self, key: Hashable) -> None:
        """The holder's task goes on while its clean-up still holds the key: it may wait for that like anybody."""
        self._locks[key].owner = None

    def release(self, key: Hashable) -> None:
        """Let the next one in. May be called from any thread."""
        lock = self._locks[key]
        lock.owner = None
        lock.turnstile.leave()
        self._forget_one(key)

    def _forget_one(self, key: Hashable) -> None:
        with self._guard:
            lock = self._locks[key]
            lock.users -= 1
            if not lock.users:
                del self._locks[key]

    def __len__(self) -> int:
        return len(self._locks)


# Of the process, as the files are.
PATH_LOCKS = PathLocks()
