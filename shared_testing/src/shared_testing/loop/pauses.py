"""Be told when a selector loop stands still, and from time to time while it runs.

The loop asks its selector once per turn: with no timeout when nothing is ready and no timer is set, which is where
a deadlock shows, and with a timeout of 0 when something is ready, which is all that a busy loop ever does.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import SelectorKey

    from shared_testing.patches import Patches

    Events = list[tuple[SelectorKey, int]]
    Tell = Callable[[asyncio.AbstractEventLoop, int], object]

PULSE = 0.25
"""Seconds between two looks at a loop that runs."""

# What a thread or the kernel has just sent may need a moment to be seen.
_FIRST_PAUSE = 0.02

# Busy turns between two looks at the clock.
_TURNS = 1024


def watch_pauses(
    loop: Any, on_standstill: list[Tell], on_pulse: list[Tell], guarded: Callable[..., object], patches: Patches
) -> None:
    """Call the subscribers with this loop and the number of turns since it last had nothing to do.

    `on_standstill`: it is about to wait, without any timer. `on_pulse`: every quarter of a second or so. Does nothing
    for a loop that is none of asyncio's selector loops. `guarded` calls a subscriber, and survives its crash.
    """
    if not isinstance(loop, asyncio.SelectorEventLoop):
        return
    selector: Any = loop._selector  # type: ignore[attr-defined]
    # A virtual clock must not be moved by our looking: what it waits on for real lies below.
    selector = getattr(selector, "_real", selector)
    real_select: Callable[[float | None], Events] = selector.select
    busy, next_look, next_pulse = 0, _TURNS, monotonic() + PULSE

    def select(timeout: float | None = None) -> Events:
        __tracebackhide__ = True
        nonlocal busy, next_look
        if timeout is not None and timeout <= 0:
            busy += 1
            if busy >= next_look:
                next_look = busy + _TURNS
                pulse()
            return real_select(timeout)
        if timeout is None:
            return wait()
        # In slices: returning early is harmless, the loop asks again.
        events = real_select(min(timeout, PULSE))
        rest()
        return events

    def wait() -> Events:
        __tracebackhide__ = True
        pause = _FIRST_PAUSE
        while not (events := real_select(pause)):
            if not loop._scheduled:  # type: ignore[attr-defined]
                for tell in on_standstill:
                    guarded(tell, loop, busy)
            if not (ready := loop._ready):  # type: ignore[attr-defined]
                pulse()
            if ready or loop._ready:  # type: ignore[attr-defined]
                break
            pause = min(2 * pause, 2 * PULSE)
        rest()
        return events

    def rest() -> None:
        __tracebackhide__ = True
        nonlocal busy, next_look
        pulse()
        busy, next_look = 0, _TURNS

    def pulse() -> None:
        __tracebackhide__ = True
        nonlocal next_pulse
        if (now := monotonic()) >= next_pulse:
            next_pulse = now + PULSE
            for tell in on_pulse:
                guarded(tell, loop, busy)

    patches.set(selector, "select", select)
