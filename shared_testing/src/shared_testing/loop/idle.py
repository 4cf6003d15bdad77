"""Wait until nothing else can run.

A test that wants to look at the others "when they are all waiting" would otherwise guess a number
of ``sleep(0)``. The name for the same thing elsewhere: trio's ``wait_all_tasks_blocked``, Go's ``synctest.Wait``.
"""

from __future__ import annotations

import asyncio
from typing import Any

# Two quiet turns: the first may be the one in which the selector hands over data that has just arrived.
_QUIET_TURNS = 2


async def settle() -> None:
    """Return when every other task of this loop is blocked on a timer, on I/O or on another task.

    Takes no virtual time: a sleeper stays asleep. It never returns while some task keeps
    yielding without waiting (a busy loop). Cancelling it cancels nothing else.
    """
    loop: Any = asyncio.get_running_loop()
    # An exploring loop has late what would be there already: whoever settles waits for all of it.
    after_all = getattr(loop, "after_all_until", None)
    await _quiet(loop)
    while after_all is not None and loop.arrivals.is_any_due(loop.time()):
        await after_all(loop.time() - 1)
        await _quiet(loop)


async def _quiet(loop: Any) -> None:
    quiet = 0
    while quiet < _QUIET_TURNS:
        await asyncio.sleep(0)
        # asyncio has no public view of its ready queue; BaseEventLoop has named it so since Python 3.4.
        quiet = 0 if loop._ready else quiet + 1
