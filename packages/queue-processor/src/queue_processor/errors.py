"""What can go wrong, as one small tree.

Everything that this package raises on its own account is a QueueProcessorError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_processor.dead_letters import DeadLetter


class QueueProcessorError(Exception):
    """The root of the tree."""


class QueueClosed(QueueProcessorError):
    """The queue takes no more items; the one that was offered is still its sender's."""


class ProcessorNotRunning(QueueProcessorError, RuntimeError):
    """The call needs an event loop, or consumers, that are not there."""


class CalledFromHandler(QueueProcessorError, RuntimeError):
    """A handler asked its own processor for something that has to wait for that very handler."""


class QueueFileUnusable(QueueProcessorError, ValueError):
    """The file cannot keep a queue's messages, and trying again would not help."""


class WrongEventLoop(QueueProcessorError, RuntimeError):
    """The object is at work in another event loop that is still open."""


class ConsumersGone(QueueProcessorError):
    """The processor's own tasks were cancelled by somebody else, and none is left to do the work."""


class HandlerCancelled(QueueProcessorError):
    """The work on an item ended in a cancellation that nobody had asked the consumer for."""


class Reject(Exception):
    """Raised by a handler: trying this item again is useless, put it with the dead letters now."""


class ItemFailed(QueueProcessorError):
    """An item failed for good, and the processor was made with ``on_failure="raise"``.

    The handler's error is the ``__cause__``.
    """

    def __init__(self, letter: DeadLetter[Any]) -> None:
        super().__init__(
            f"an item failed for good after {letter.attempts} attempt(s): {letter.reason}; no further item was "
            "started: .dead_letter holds the item, .unfinished of the processor what waits behind it"
        )
        self.dead_letter = letter
        """The item, its error, and how often it was tried."""


class UnfinishedWork(QueueProcessorError):
    """The processor was left before everything that it had accepted was done."""

    def __init__(self, items: Sequence[Any]) -> None:
        super().__init__(
            f"{len(items)} accepted item(s) were not done when the time to drain was over; they are in .items, and "
            "still queued: enter the processor again to go on, or give it a longer drain"
        )
        self.items = list(items)
        """What was not done, in the order in which it was accepted."""


class QueueUnavailable(QueueProcessorError, ConnectionError):
    """The server or the file that keeps the messages cannot be reached just now; try again later."""


class QueueRefused(QueueProcessorError, PermissionError):
    """The server does not let us in, or is not the one it should be; waiting does not change that."""
