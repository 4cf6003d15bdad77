"""Tasks that live and end together: consumers, and the feeder of a process_all().

Like asyncio.TaskGroup, with two differences that callers here need: the error of a member comes out as it is,
not inside a group, and a consumer that somebody else has cancelled is a loss that the others make up for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_processor.errors import ConsumersGone

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable


class Crew:
    """Started together; when one fails, the others are cancelled, and join() raises the error."""

    def __init__(self, on_break: Callable[[], None]) -> None:
        self.broken: BaseException | None = None
        """Why the crew ended before its work did."""
        self._on_break = on_break
        self._tasks: set[asyncio.Task[None]] = set()
        self._consumers: set[asyncio.Task[None]] = set()
        self._winding_down = False

    def start(
        self, consumers: Iterable[Coroutine[Any, Any, None]], feeder: Coroutine[Any, Any, None] | None = None
    ) -> None:
        for number, consumer in enumerate(consumers, start=1):
            task = self._start(consumer, f"queue-processor consumer {number}")
            self._consumers.add(task)
        if feeder is not None:
            self._start(feeder, "queue-processor feeder")

    async def join(self) -> None:
        """Return when all members have; raise the first error. Cancelled, it leaves them running: cancel() them."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.broken is not None:
            raise self.broken

    async def cancel(self) -> None:
        """Cancel all members, and return when every one of them has ended, even if cancelled meanwhile."""
        self._winding_down = True
        for task in self._tasks:
            task.cancel()
        cancelled: asyncio.CancelledError | None = None
        while running := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError as error:
                # To leave now would orphan a handler that is still cleaning up.
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _start(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._left)
        return task

    def _left(self, task: asyncio.Task[None]) -> None:
        is_consumer = task in self._consumers
        self._consumers.discard(task)
        if not task.cancelled():
            error = task.exception()
        elif self._winding_down or (is_consumer and self._consumers):
            return
        else:
            error = ConsumersGone(
                "the processor's own tasks were cancelled by somebody else while there was still work"
            )
        if error is not None and self.broken is None:
            self.broken = error
            self._winding_down = True
            for other in self._tasks:
                other.cancel()
            self._on_break()
