"""Wait in a loop for what threads, or other loops, will say.

A thread that says it after the loop was closed would run into the closed loop and log an error. So nothing of ours
stays connected to a loop in which nobody waits any more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future


async def wait_until_done(futures: Iterable[Future[None]], timeout: float | None = None) -> None:
    """Return when all are done, or after `timeout` seconds. The results are not looked at.

    A future whose wait ends early is cancelled; whoever resolves it uses `resolve`.
    """
    waiting = [asyncio.wrap_future(future) for future in futures]
    try:
        if waiting:
            await asyncio.wait(waiting, timeout=timeout)
    finally:
        for one in waiting:
            one.cancel()


def resolve(future: Future[None]) -> None:
    """Wake whoever waits for `future`, if there is still somebody."""
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_result(None)
