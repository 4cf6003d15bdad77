"""What runs in a worker: take calls from a queue, run them, reply."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from task_queue.call import Attempts, Caller
from task_queue.errors import RemoteTaskError
from task_queue.outbox import Outbox
from task_queue.registry import named
from task_queue.wire import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from queue_processor import Message, MessageQueue, QueueProcessor

# Callers come and go; so many are remembered.
_MOST_CALLERS = 100


class TaskWorker:
    """Handles the messages of a queue that hold calls. Give `handle` to a QueueProcessor, or use `processor()`."""

    def __init__(self, queue: MessageQueue, tasks: Iterable[Callable[..., Any]]) -> None:
        """`tasks`: functions with ``@task``; calls of all others are refused."""
        self._queue = queue
        self._tasks = named(tasks)
        self._outboxes: OrderedDict[str, Outbox] = OrderedDict()

    def processor(self, consumers: int = 10, **options: Any) -> QueueProcessor[Any, None]:
        """A QueueProcessor that runs up to `consumers` calls at once. It needs the extra ``distributed``."""
        from queue_processor import QueueProcessor

        return QueueProcessor(self.handle, queue=self._queue, consumers=consumers, **options)

    async def handle(self, message: Message) -> None:
        """Run the call and send its reply; what is no call is a dead letter.

        Raises what it is cancelled with, so that the message is given back: another worker has it then.
        """
        from queue_processor import Reject

        try:
            call = Call.decode(message.body)
        except ValueError as error:
            raise Reject(str(error)) from None
        reply = await self._run(call)
        await self._outbox(call.reply_to).put(reply.encode())

    async def _run(self, call: Call) -> Reply:
        now = asyncio.get_running_loop().time
        began = now()
        func = self._tasks.get(call.task)
        if func is None:
            known = ", ".join(self._tasks)
            unknown = RemoteTaskError("NotSentError", f"this worker has no task {call.task!r}; it has {known}")
            return Reply.of(call, 0.0, error=unknown)
        try:
            value = await Caller(call.timeout, None, 0).call(Attempts(), call.id, func, call.args, call.kwargs)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Reply.of(call, now() - began, error=error)
        except Exception as error:  # noqa: BLE001 - the caller's to know
            return Reply.of(call, now() - began, error=error)
        return Reply.of(call, now() - began, value)

    def _outbox(self, name: str) -> Outbox:
        if name not in self._outboxes:
            self._outboxes[name] = Outbox(self._queue.named(name))
            if len(self._outboxes) > _MOST_CALLERS:
                self._outboxes.popitem(last=False)
        self._outboxes.move_to_end(name)
        return self._outboxes[name]
