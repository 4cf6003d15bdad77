"""The handler that workers run in a chaos run: it notes when it begins and ends, and does what the message says."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from chaos_record import note

if TYPE_CHECKING:
    from queue_processor import Message


async def handle(message: Message) -> None:
    order = message.json()
    note("began", order["number"])
    if order["does"] == "die":
        os._exit(9)
    if order["does"] == "jump":
        _set_clock(order["by"])
    await asyncio.sleep(order["seconds"])
    note("ended", order["number"])


def _set_clock(seconds: float) -> None:
    """For this process, and for good: whoever asks for the time of day gets it wrong by so much."""
    # Here, as few workers need it, and all are to start fast.
    from shared_testing.builders.wall_clock import WallClock

    WallClock().__enter__().jump(seconds)
