"""Wait as for an answer from outside."""

from __future__ import annotations

import asyncio
from typing import Any


async def outside() -> None:
    """Suspend where the real thing would ask somebody outside: a turn of the loop, of no length.

    Under exploration the answer is an arrival like others, and may be late. A stand-in that returned without
    suspending, or after a turn that is always over at once, would hide each race behind it.
    """
    loop: Any = asyncio.get_running_loop()
    arrives = getattr(loop, "arrives_soon", None)
    if arrives is None:
        await asyncio.sleep(0)
        return
    answer = loop.create_future()
    arrives(_come, answer)
    await answer


def _come(answer: asyncio.Future[None]) -> None:
    if not answer.done():
        answer.set_result(None)
