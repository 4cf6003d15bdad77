"""`queue-processor run`: a worker until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING, Any

from queue_processor.crew import ended
from queue_processor.progress import Progress, say

if TYPE_CHECKING:
    from queue_processor.processor import QueueProcessor
    from queue_processor.queues.message_queue import Message, MessageQueue

_STOPS = (signal.SIGTERM, signal.SIGINT)


async def serve(
    processor: QueueProcessor[Message, Any],
    queue: MessageQueue,
    every: float | None = None,
    *,
    for_machines: bool = False,
) -> int:
    """Work on `queue` until SIGTERM or SIGINT, finish what is in hand, and return the exit code.

    A second signal stops at once: handlers are cancelled and their messages given back. A third does what signals do.
    `every`: seconds between two lines of progress, for people on stderr or for machines on stdout; None: each second on
    a terminal, else every 10. In the main thread.

    Raises what broke the worker.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    progress = Progress(processor, queue, every, for_machines=for_machines)
    working = asyncio.create_task(processor.run())
    showing = asyncio.create_task(progress.show_for_ever())
    signals = _Signals(processor, working)
    signals.listen()
    try:
        await asyncio.wait([working])
    finally:
        signals.ignore()
        for task in (working, showing):
            task.cancel()
        await ended([working, showing])
    await progress.show(ended=True)
    if working.cancelled():
        return 130 if signals.received[-1] == signal.SIGINT else 1
    await working
    return 0


class _Signals:
    """The first lets the processor finish what is in its hand, the second does not."""

    def __init__(self, processor: QueueProcessor[Message, Any], working: asyncio.Task[None]) -> None:
        self.received: list[signal.Signals] = []
        self._processor = processor
        self._working = working

    def listen(self) -> None:
        for each in _STOPS:
            asyncio.get_running_loop().add_signal_handler(each, self._on, each)

    def ignore(self) -> None:
        for each in _STOPS:
            asyncio.get_running_loop().remove_signal_handler(each)

    def _on(self, received: signal.Signals) -> None:
        self.received.append(received)
        if len(self.received) == 1:
            in_work = self._processor.tally.in_work
            say(f"{received.name}: finishing {in_work} in work; once more to stop at once", sys.stderr)
            self._processor.running = False
        else:
            self.ignore()
            say(f"{received.name}: giving back what is in work", sys.stderr)
            self._working.cancel()
