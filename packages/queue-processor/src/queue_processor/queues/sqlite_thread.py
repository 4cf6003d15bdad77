"""The one thread in which a SQLiteQueue's file is read and written.

Calls that have come in meanwhile share a transaction: on a disk that has to be waited for, a hundred acknowledgements
cost what one does. Who finds nothing to take waits in here, too, so that no message can come in between.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from queue_processor.errors import QueueClosed, QueueUnavailable
from queue_processor.queues.sqlite_file import QueueFile, explained, open_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from queue_processor.queues.sqlite_file import Durability

T = TypeVar("T")

_POLL = 0.02
"""Seconds until somebody who waits learns of what another process has put."""

_TOGETHER = 500
"""Calls in a transaction, at most: other processes have their turn in between."""


class NotYet(NamedTuple):
    """There is nothing to hand out, and nothing will come by itself before this time."""

    moment: float


class Call(Generic[T]):
    """One piece of work for the thread, and whoever waits for its result."""

    def __init__(
        self,
        work: Callable[[QueueFile], T],
        loop: asyncio.AbstractEventLoop,
        until: float = 0,
        undo: Callable[[T], None] | None = None,
    ) -> None:
        """`until`: so long it is tried again while it says NotYet. `undo`: if nobody takes the result."""
        self.work = work
        self.until = until
        self.moment = 0.0
        self.future: asyncio.Future[T] = loop.create_future()
        self._loop = loop
        self._undo = undo

    @property
    def is_pointless(self) -> bool:
        """Nobody waits for it, and it would have to be undone."""
        return self._undo is not None and self.future.done()

    @property
    def next_look(self) -> float:
        return min(self.until, self.moment)

    def tell(self, result: Any = None, error: BaseException | None = None) -> None:
        """In the thread: let the loop know."""
        try:
            self._loop.call_soon_threadsafe(self._set, result, error)
        except RuntimeError:  # Its loop was closed meanwhile.
            self._leave(result, error)

    def left(self) -> None:
        """In the loop: whoever waited was cancelled. If the result is there already, nobody will look at it."""
        if self.future.done() and not self.future.cancelled():
            error = self.future.exception()
            self._leave(None if error else self.future.result(), error)

    def _set(self, result: Any, error: BaseException | None) -> None:
        if self.future.done():
            self._leave(result, error)
        elif error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def _leave(self, result: Any, error: BaseException | None) -> None:
        if error is None and self._undo is not None:
            self._undo(result)


class DatabaseThread:
    """Started and stopped once."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self._path = path
        self._durability = durability
        self._calls: queue.SimpleQueue[Call[Any]] = queue.SimpleQueue()
        self._waiting: list[Call[Any]] = []
        self._seen = 0
        self._closed = False
        self._last: Call[None] | None = None
        # A daemon: a queue that nobody has closed does not keep the process from ending.
        self._thread = threading.Thread(target=self._live, name=f"queue {path}", daemon=True)

    async def start(self) -> None:
        """Open the file; raises what :func:`open_file` does, and there is no thread then."""
        opened = Call(_nothing, asyncio.get_running_loop())
        self._calls.put(opened)
        self._thread.start()
        try:
            await opened.future
        except BaseException as error:
            self._end()
            if not isinstance(error, asyncio.CancelledError):
                self._thread.join()
            raise

    async def stop(self) -> None:
        """After what was called before. Who waits for a message gets QueueClosed."""
        try:
            # Only then is it known which results nobody took, and what there is to undo. A file that is locked just
            # now keeps nobody from closing it.
            with suppress(QueueUnavailable):
                await self.ask(_nothing)
        finally:
            await self._end().future
            # It has nothing left to do, but on a busy machine it may take its time to leave.
            await asyncio.to_thread(self._thread.join)

    async def ask(
        self, work: Callable[[QueueFile], T], *, until: float = 0, undo: Callable[[T], None] | None = None
    ) -> T:
        """What `work` gives, in a transaction. Cancelled, it may have been done; with `undo` it is not, or undone."""
        if self._closed:
            raise self._is_closed()
        call = Call(work, asyncio.get_running_loop(), until, undo)
        self._calls.put(call)
        try:
            return await call.future
        except asyncio.CancelledError:
            call.left()
            raise

    def do(self, work: Callable[[QueueFile], Any], loop: asyncio.AbstractEventLoop) -> None:
        """The same, for nobody who waits."""
        call = Call(work, loop)
        call.future.cancel()
        self._calls.put(call)

    def _end(self) -> Call[None]:
        self._closed = True
        self._last = Call(_nothing, asyncio.get_running_loop())
        self._calls.put(self._last)
        return self._last

    def _is_closed(self) -> QueueClosed:
        return QueueClosed(f"the queue in {self._path} is closed: enter it again, with 'async with'")

    # ------------------------------------------------------------ in the thread

    def _live(self) -> None:
        try:
            file = open_file(self._path, self._durability)
        except Exception as error:  # noqa: BLE001 - handed to whoever opens the queue
            self._calls.get().tell(error=error)
            return
        with closing(file.connection):
            while self._turn(file):
                """Until the last call."""
        for call in self._waiting:
            call.tell(error=self._is_closed())
        if self._last is not None:
            self._last.tell()

    def _turn(self, file: QueueFile) -> bool:
        """Do what has come in, and try again for those who wait, if there may be something for them."""
        calls = self._come_in()
        is_last = bool(calls) and calls[-1] is self._last
        if is_last:
            calls.pop()
        self._waiting = [call for call in self._waiting if not call.is_pointless]
        if calls or self._is_time(file):
            together = [call for call in calls if not call.is_pointless] + self._waiting
            self._waiting = []
            self._run(file, together)
        return not is_last

    def _come_in(self) -> list[Call[Any]]:
        calls: list[Call[Any]] = []
        patience = self._patience()
        while len(calls) < _TOGETHER and (not calls or calls[-1] is not self._last):
            try:
                calls.append(self._calls.get(timeout=patience) if not calls else self._calls.get_nowait())
            except queue.Empty:
                break
        return calls

    def _patience(self) -> float | None:
        if not self._waiting:
            return None
        return max(0.0, min(_POLL, min(call.next_look for call in self._waiting) - time.monotonic()))

    def _is_time(self, file: QueueFile) -> bool:
        if not self._waiting:
            return False
        try:
            # Before the transaction: what is put after it must be another number.
            before, self._seen = self._seen, file.changed_by_others()
        except sqlite3.Error:
            return True
        return before != self._seen or time.monotonic() >= min(call.next_look for call in self._waiting)

    def _run(self, file: QueueFile, calls: list[Call[Any]]) -> None:
        try:
            file.begin()
        except sqlite3.Error as error:
            for call in calls:
                call.tell(error=self._reason(error))
            return
        try:
            results = [call.work(file) for call in calls]
            file.connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            self._roll_back(file)
            self._failed(file, calls, error)
            return
        for call, result in zip(calls, results, strict=True):
            if isinstance(result, NotYet) and time.monotonic() < call.until:
                call.moment = result.moment
                self._waiting.append(call)
            else:
                call.tell(result)

    def _roll_back(self, file: QueueFile) -> None:
        # SQLite may have done it already.
        with suppress(sqlite3.Error):
            if file.connection.in_transaction:
                file.connection.execute("ROLLBACK")

    def _failed(self, file: QueueFile, calls: list[Call[Any]], error: Exception) -> None:
        """Who has nothing to do with it is not to suffer from it."""
        if len(calls) > 1:
            for call in calls:
                self._run(file, [call])
        else:
            calls[0].tell(error=self._reason(error))

    def _reason(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        reason = explained(error, self._path)
        reason.__cause__ = error
        return reason


def _nothing(_: object) -> None:
    """Comes after what was asked before."""
