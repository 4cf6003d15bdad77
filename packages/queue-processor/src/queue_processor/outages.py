"""Go on by itself when the place where the messages are cannot be reached for a while."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from queue_processor.errors import QueueUnavailable
from queue_processor.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

R = TypeVar("R")

_log = logging.getLogger("queue_processor")


class Outages:
    """Calls of one queue, repeated until they go through. An outage is logged once, not once per try."""

    def __init__(self, lease: float) -> None:
        # A lease that could be renewed again must not run out while a long pause is slept through.
        self._backoff = Backoff(first=min(0.1, lease / 6), longest=min(5.0, lease / 6))
        self._since: float | None = None

    async def outlast(self, call: Callable[..., Awaitable[R]], *arguments: object) -> R:
        """The result of ``call(*arguments)``, which may be repeated. Raises all that is no QueueUnavailable."""
        failures = 0
        while True:
            try:
                result = await call(*arguments)
            except QueueUnavailable as error:
                failures += 1
                self._begun(error)
                await asyncio.sleep(self._backoff.seconds(failures))
            else:
                if self._since is not None:
                    self._over(self._since)
                return result

    def _begun(self, error: QueueUnavailable) -> None:
        if self._since is None:
            self._since = asyncio.get_running_loop().time()
            _log.warning("the message queue cannot be reached, trying again until it can: %s", error)

    def _over(self, since: float) -> None:
        self._since = None
        _log.warning("the message queue is back after %.1f s", asyncio.get_running_loop().time() - since)
