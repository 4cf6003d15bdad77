"""Send what many tasks have to send by few calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from task_queue.queue_engine import Queue

# A queue that is away is asked again after so many seconds, then after twice as many, up to the last.
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


class Outbox:
    """Puts messages to one queue. What comes while a call is under way goes together by the next one."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._waiting: list[tuple[bytes, asyncio.Future[str]]] = []
        self._sender: asyncio.Task[None] | None = None

    def put(self, body: bytes) -> asyncio.Future[str]:
        """Its id, when it is in the queue; as long as that may take."""
        sent: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, sent))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send(), name="outbox")
        return sent

    async def take_back(self, sent: asyncio.Future[str]) -> str | None:
        """Do not send it, after all; its id if that is too late. When it returns, nothing is sent for nobody."""
        self._waiting = [each for each in self._waiting if each[1] is not sent]
        if self._sender is not None:
            # What is on its way cannot be called back, but arrives soon.
            await asyncio.wait([self._sender])
        return sent.result() if sent.done() and not sent.cancelled() and sent.exception() is None else None

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    ids = await self._persistently([body for body, _ in batch])
                except Exception as error:  # noqa: BLE001 - theirs who wait
                    for _, sent in batch:
                        if not sent.done():
                            sent.set_exception(error)
                    continue
                for (_, sent), each in zip(batch, ids, strict=True):
                    if not sent.done():
                        sent.set_result(each)
        finally:
            self._sender = None

    async def _persistently(self, bodies: list[bytes]) -> list[str]:
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._queue.put_many(bodies)
            except ConnectionError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
