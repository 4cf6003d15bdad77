"""How a worker gets on, in lines: for people on stderr, for machines on stdout."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from queue_processor.errors import QueueProcessorError

if TYPE_CHECKING:
    from queue_processor.processor import QueueProcessor
    from queue_processor.queues.message_queue import Counts, Message, MessageQueue

_FOR_A_TERMINAL, _FOR_A_LOG = 1.0, 10.0


class Progress:
    """Says every so many seconds where things are. None: each second on a terminal, else every 10."""

    def __init__(
        self, processor: QueueProcessor[Message, Any], queue: MessageQueue, every: float | None, *, for_machines: bool
    ) -> None:
        self._processor = processor
        self._queue = queue
        self._for_machines = for_machines
        self._stream = sys.stdout if for_machines else sys.stderr
        self._every = every or (_FOR_A_TERMINAL if self._stream.isatty() else _FOR_A_LOG)
        self._before = processor.tally

    async def show_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.show()

    async def show(self, *, ended: bool = False) -> None:
        """One line of now."""
        tally, before = self._processor.tally, self._before
        seconds = tally.seconds - before.seconds
        # At the end over all of it; on the way as it is just now.
        rate = tally.rate if ended or not seconds else (tally.done - before.done) / seconds
        self._before = tally
        counts = await self._counts()
        if self._for_machines:
            where = counts._asdict() if counts is not None else None
            figures = {**asdict(tally), "seconds": round(tally.seconds, 3), "rate": round(rate, 1)}
            say(json.dumps({"event": "end" if ended else "progress", **figures, "queue": where}), self._stream)
        else:
            waiting, dead = (f"{counts.waiting:,}", f"{counts.dead:,}") if counts is not None else ("?", "?")
            say(
                f"{tally.done:,} done, {rate:,.0f}/s, {tally.retried:,} retried, {tally.in_work} in work, "
                f"{waiting} waiting, {dead} dead",
                self._stream,
            )

    async def _counts(self) -> Counts | None:
        try:
            async with asyncio.timeout(1):
                return await self._queue.counts()
        except (QueueProcessorError, TimeoutError):
            return None


def say(line: str, stream: TextIO) -> None:
    """Print a line. If the reader has left, the work goes on unseen."""
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        # Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
