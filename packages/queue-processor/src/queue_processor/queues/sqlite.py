"""A message queue in a file, for the processes of one machine."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from queue_processor.errors import QueueClosed, QueueProcessorError
from queue_processor.queues.message_queue import check_limits
from queue_processor.queues.sqlite_messages import Messages
from queue_processor.queues.sqlite_thread import DatabaseThread, NotYet

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from types import TracebackType

    from queue_processor.queues.message_queue import Counts, DeadMessage, Message
    from queue_processor.queues.sqlite_file import Durability

# RETURNING, of March 2021.
_OLDEST = (3, 35)


class SQLiteQueue:
    """A :class:`MessageQueue` in a SQLite file, between any number of processes of one machine.

    What it promises holds through the death of any process, at any moment. When the machine itself dies, by a power
    failure or a crash of its system, the durability counts: with "normal" the last transactions may be lost (puts are
    gone, what was done is done again), and with "full" nothing is for which a call had returned, at the price of
    waiting for the disk each time. The file is whole in both cases.

    The disk must be a local one, as SQLite's write-ahead log needs shared memory. Leases and delays go by the
    machine's running time, whatever its wall clock says; when it is started anew all of them are over.

    A call that is cancelled may have been done. What a cancelled ``get_batch()`` took is given back at once.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lease: float = 30.0,
        max_deliveries: int = 5,
        durability: Durability = "normal",
        name: str = "default",
    ) -> None:
        """`lease` in seconds. `name`: which of the queues in the file. It is made if need be, its folder is not."""
        check_limits(lease, max_deliveries)
        if durability not in ("normal", "full"):
            raise ValueError(f'durability={durability!r}: it is "normal" or "full"')
        if sqlite3.sqlite_version_info < _OLDEST:
            raise QueueProcessorError(
                f"SQLiteQueue needs SQLite 3.35, and this Python has {sqlite3.sqlite_version}: take a newer Python"
            )
        self.lease = lease
        self.max_deliveries = max_deliveries
        self._path = Path(path)
        self._durability: Durability = durability
        self._name = name
        self._messages = Messages(name, lease, max_deliveries)
        self._home = self
        self._thread: DatabaseThread | None = None

    def __repr__(self) -> str:
        return f"<SQLiteQueue {self._name!r} in {self._path}{'' if self._home._thread else ', closed'}>"

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises QueueFileUnusable if it cannot keep a queue, QueueUnavailable for what may pass.
        """
        if self._home._thread is None:
            thread = DatabaseThread(self._path, self._durability)
            await thread.start()
            self._home._thread = thread
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------ in and out

    async def put_many(self, bodies: Iterable[bytes], /) -> list[str]:
        contents = [bytes(body) for body in bodies]
        return await self._open.ask(lambda file: self._messages.put(file, contents))

    async def get_batch(self, limit: int, /, timeout: float | None = None) -> list[Message]:
        thread, loop = self._open, asyncio.get_running_loop()

        def give_back(batch: list[Message] | NotYet) -> None:
            if not isinstance(batch, NotYet):
                thread.do(lambda file: self._messages.release(file, batch), loop)

        batch = await thread.ask(
            lambda file: self._messages.hand_out(file, limit),
            until=float("inf") if timeout is None else time.monotonic() + timeout,
            undo=give_back,
        )
        return [] if isinstance(batch, NotYet) else batch

    # ------------------------------------------------------------ dealt with

    async def ack(self, *messages: Message) -> int:
        return await self._open.ask(lambda file: self._messages.ack(file, messages))

    async def nack(self, message: Message, delay: float = 0, reason: str = "") -> bool:
        return await self._open.ask(lambda file: self._messages.nack(file, message, delay, reason))

    async def release(self, *messages: Message) -> int:
        return await self._open.ask(lambda file: self._messages.release(file, messages))

    async def bury(self, message: Message, reason: str) -> bool:
        return await self._open.ask(lambda file: self._messages.bury(file, message, reason))

    async def withdraw(self, *ids: str) -> int:
        return await self._open.ask(lambda file: self._messages.withdraw(file, ids))

    async def renew(self, *messages: Message) -> int:
        return await self._open.ask(lambda file: self._messages.renew(file, messages))

    # ------------------------------------------------------------ looked at

    async def dead_letters(self, limit: int | None = None) -> list[DeadMessage]:
        return await self._open.ask(lambda file: self._messages.dead_letters(file, limit))

    async def retry_dead(self, *ids: str) -> int:
        return await self._open.ask(lambda file: self._messages.retry_dead(file, ids))

    async def drop_dead(self, *ids: str) -> int:
        return await self._open.ask(lambda file: self._messages.drop_dead(file, ids))

    async def counts(self) -> Counts:
        return await self._open.ask(self._messages.counts)

    def named(self, name: str, *, forgotten_after: float | None = None) -> SQLiteQueue:
        """Another queue in the same file, and in the same thread. It is open as long as this one is."""
        other = SQLiteQueue(
            self._path,
            lease=self.lease,
            max_deliveries=self.max_deliveries,
            durability=self._durability,
            name=name,
        )
        other._messages = Messages(name, self.lease, self.max_deliveries, forgotten_after)
        other._home = self._home
        return other

    async def close(self) -> None:
        """Let go of file and thread. Calls that have begun are done; who waits for a message gets QueueClosed.

        Of a named() queue: nothing.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.stop()

    @property
    def _open(self) -> DatabaseThread:
        if (thread := self._home._thread) is None:
            raise QueueClosed(f"{self!r}: open it first, with 'async with queue'")
        return thread
