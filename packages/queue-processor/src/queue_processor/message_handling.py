"""Have one message handled, and tell the queue how that ended."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from queue_processor.consumers import NOT_CALLED, check_awaitable
from queue_processor.errors import HandlerCancelled, Reject

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_processor.outages import Outages
    from queue_processor.queues.message_queue import Message, MessageQueue
    from queue_processor.retry import Backoff
    from queue_processor.tally import Tally

_log = logging.getLogger("queue_processor")

# A reason is a line for people; some errors carry whole pages with them.
_LONGEST_REASON = 500


class MessageHandling:
    """A handler, and what follows from how it ends: done, once more, or dead."""

    def __init__(
        self,
        queue: MessageQueue,
        handle: Callable[[Message], Awaitable[object]],
        backoff: Backoff,
        outages: Outages,
        tally: Tally,
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._backoff = backoff
        self._outages = outages
        self._tally = tally

    async def succeeds(self, message: Message) -> bool:
        """Whether the handler did it; if not, the queue has been told why.

        Raises TypeError for a handler that cannot be awaited. Cancelled, the message is neither done nor failed.
        """
        called: Any = NOT_CALLED
        try:
            called = self._handle(message)
            await called
        except (Exception, asyncio.CancelledError, SystemExit) as error:  # noqa: BLE001 - the outcome, whatever it is
            # A handler that exits would otherwise end each worker that gets its message, and never be counted.
            check_awaitable(called, self._handle)
            await self._failed(message, _failure(error))
            return False
        return True

    async def _failed(self, message: Message, error: BaseException) -> None:
        self._tally.failed += 1
        reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        outlast, queue = self._outages.outlast, self._queue
        if isinstance(error, Reject) or message.deliveries >= queue.max_deliveries:
            trace = None if isinstance(error, Reject) else error
            _log.warning(
                "message %s is given up, delivery %s: %s", message.id, message.deliveries, reason, exc_info=trace
            )
            if isinstance(error, Reject):
                was_ours = await outlast(queue.bury, message, reason)
            else:
                was_ours = await outlast(queue.nack, message, 0, reason)
            # Not `+= await`: that adds to what was there before the wait.
            self._tally.dead += was_ours
        else:
            delay = self._backoff.seconds(message.deliveries)
            _log.info("message %s comes again in %.1f s: %s", message.id, delay, reason)
            was_ours = await outlast(queue.nack, message, delay, reason)
            self._tally.retried += was_ours


def _failure(error: BaseException) -> BaseException:
    """The error as the message's failure; of a handler that is cancelled it is none, whatever it looks like."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error
    if not isinstance(error, asyncio.CancelledError):
        return error
    return HandlerCancelled("the handler awaited something that had been cancelled, and let that pass for its own")
