"""Run tasks in workers on other processes or machines, by a message queue."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from task_queue.engine import Outcome
from task_queue.errors import NotSentError, TaskLostError
from task_queue.outbox import Outbox
from task_queue.registry import name_of
from task_queue.wire import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

# How long replies are kept for a caller that does not ask for them any more, in seconds.
_FORGOTTEN_AFTER = 3600.0
_PAUSE = 0.5


class Queue(Protocol):
    """What is asked of a queue: asyncworks-queue-processor's MemoryQueue, SQLiteQueue and RedisQueue are such."""

    @property
    def lease(self) -> float: ...
    async def put_many(self, bodies: Iterable[bytes], /) -> list[str]: ...
    async def get_batch(self, limit: int, /, timeout: float | None = None) -> Sequence[Any]: ...
    async def ack(self, *messages: Any) -> int: ...
    async def withdraw(self, *ids: str) -> int: ...
    async def dead_letters(self) -> Sequence[Any]: ...
    def named(self, name: str, *, forgotten_after: float | None = None) -> Any: ...


class QueueEngine:
    """``AsyncTaskQueue(100, engine=QueueEngine(queue))``: the tasks are run by workers of that queue.

    Only functions with ``@task`` are, by workers that were given them: ``python -m task_queue worker``. Arguments and
    results are JSON, tuples become lists. A call runs at least once: again, if its worker dies under it, and as often
    as the queue delivers; then it ends in TaskLostError. While the queue cannot be reached, calls wait.

    It needs no closing; the queue is the caller's. One event loop at a time.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._name = f"replies.{uuid.uuid4().hex}"
        self._replies: Any = queue.named(self._name, forgotten_after=_FORGOTTEN_AFTER)
        self._outbox = Outbox(queue)
        self._pending: dict[str, asyncio.Future[Outcome]] = {}
        self._sent: dict[str, str] = {}
        self._reader: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<QueueEngine on {self._queue!r}: {len(self._pending)} calls under way>"

    async def call(
        self,
        task_id: Hashable,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float | None,
    ) -> Outcome:
        """As :class:`task_queue.engine.Engine` says."""
        if (name := name_of(func)) is None:
            raise NotSentError(f"task {task_id!r}: {func!r} is no registered task; write @task above it")
        call = Call(uuid.uuid4().hex, name, args, kwargs, timeout, self._name)
        return await self._answered(call.id, call.encode())

    async def _answered(self, call_id: str, body: bytes) -> Outcome:
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._pending[call_id] = answered
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(), name="replies")
        sent = self._outbox.put(body)
        sent.add_done_callback(partial(self._in_queue, call_id))
        try:
            await asyncio.shield(sent)
            return await answered
        except asyncio.CancelledError:
            # What a worker has begun goes on there, and nobody will ask for its reply.
            with suppress(ConnectionError):
                if (message_id := await self._outbox.take_back(sent)) is not None:
                    await self._queue.withdraw(message_id)
            raise
        finally:
            del self._pending[call_id]
            if not self._pending:
                self._sent.clear()
                await self._rest()

    def _in_queue(self, call_id: str, sent: asyncio.Future[str]) -> None:
        if call_id in self._pending and not sent.cancelled() and sent.exception() is None:
            self._sent[sent.result()] = call_id

    async def _rest(self) -> None:
        """Nothing runs on behalf of nobody."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait([reader])

    async def _read(self) -> None:
        now = asyncio.get_running_loop().time
        look_again = now() + self._queue.lease
        while True:
            try:
                batch = await self._replies.get_batch(1000, timeout=max(0.0, look_again - now()))
                for message in batch:
                    self._take(Reply.decode(message.body))
                await self._replies.ack(*batch)
                if now() >= look_again:
                    await self._find_the_lost()
                    look_again = now() + self._queue.lease
            except ConnectionError:
                await asyncio.sleep(_PAUSE)

    def _take(self, reply: Reply) -> None:
        # A call that ran twice is answered twice.
        answered = self._pending.get(reply.id)
        if answered is not None and not answered.done():
            answered.set_result(reply.outcome())

    async def _find_the_lost(self) -> None:
        for letter in await self._queue.dead_letters():
            answered = self._pending.get(self._sent.get(letter.id, ""))
            if answered is not None and not answered.done():
                lost = TaskLostError(f"the task was given up after {letter.deliveries} deliveries: {letter.reason}")
                answered.set_result(Outcome(None, lost, 0.0))
