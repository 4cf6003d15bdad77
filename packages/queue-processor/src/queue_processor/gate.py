"""How many handlers run at once, over all calls that one processor serves.

Each process_all() has consumers of its own, so that one that waits for its source holds up no other; without a
common gate two calls would together run twice as many handlers as `consumers` says.
"""

from __future__ import annotations

from queue_processor.waiters import Waiters


class Gate(Waiters):
    """A semaphore that hands its permit to the next in line, and is true while somebody waits for one."""

    __slots__ = ("free",)

    def __init__(self, permits: int) -> None:
        super().__init__()
        self.free = permits

    async def enter(self) -> None:
        if self.free:
            self.free -= 1
        else:
            await self.wait()

    def leave(self) -> None:
        self.wake_one()

    def wake_one(self) -> bool:
        # A permit that nobody takes, also because who was handed it has been cancelled, is free again.
        taken = super().wake_one()
        self.free += not taken
        return taken
