"""Tasks that live and end together: consumers, and the feeder of a process_all().

Like asyncio.TaskGroup, with two differences that callers here need: the error of a member comes out as it is,
not inside a group, and a consumer that somebody else has cancelled is a loss that the others make up for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_processor.errors import ConsumersGone

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from queue_processor.consumers import Consumer


class Crew:
    """Started together; when one fails, the others are cancelled, and join() raises the error."""

    def __init__(
        self,
        consumers: Sequence[Consumer[Any, Any]],
        on_break: Callable[[BaseException], None],
        on_left: Callable[[Consumer[Any, Any]], None] | None = None,
    ) -> None:
        self.broken: BaseException | None = None
        """Why the crew ended before its work did."""
        self._consumers = consumers
        self._on_break = on_break
        self._on_left = on_left
        self._tasks: list[asyncio.Task[None]] = []
        self._consuming: dict[asyncio.Task[None], Consumer[Any, Any]] = {}
        self._winding_down = False

    def start(
        self,
        serve: Callable[[Consumer[Any, Any]], Coroutine[Any, Any, None]],
        feeder: Coroutine[Any, Any, None] | None = None,
    ) -> None:
        for number, consumer in enumerate(self._consumers, start=1):
            task = self._start(serve(consumer), f"queue-processor consumer {number}")
            self._consuming[task] = consumer
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
        self._cancel()
        await ended(self._tasks)

    def _cancel(self) -> None:
        self._winding_down = True
        for consumer in self._consumers:
            # A handler may swallow the cancellation: its consumer must not go on with the next item.
            consumer.stop()
        for task in self._tasks:
            task.cancel()

    def _start(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._left)
        return task

    def _left(self, task: asyncio.Task[None]) -> None:
        consumer = self._consuming.get(task)
        if consumer is not None and self._on_left is not None:
            self._on_left(consumer)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() and not self._winding_down:
            self._consuming.pop(task, None)
            if consumer is not None and self._consuming:
                return  # the others have its item now, or have already seen the end
            error = ConsumersGone("the processor's own tasks were cancelled by somebody else before they were done")
        if error is not None and self.broken is None:
            self.broken = error
            self._cancel()
            self._on_break(error)


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Return when all these tasks have ended. Cancelled, it still waits for them, and is cancelled then."""
    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            # To leave now would orphan a handler that is still cleaning up.
            cancelled = error
    if cancelled is not None:
        raise cancelled
