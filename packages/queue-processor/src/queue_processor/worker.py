"""A worker on a message queue: it reads what it has room for, has it handled, and says so.

A message is in its hand from the moment it came until the queue has been told what became of it; whatever ends the
worker, what is still in its hand then is given back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from queue_processor.acknowledgements import Acknowledgements
from queue_processor.crew import ended
from queue_processor.errors import ConsumersGone
from queue_processor.handling import handling_for
from queue_processor.leases import Leases

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from queue_processor.message_handling import MessageHandling
    from queue_processor.outages import Outages
    from queue_processor.queues.message_queue import Message, MessageQueue
    from queue_processor.tally import Tally

# For a read that is under way when the worker stops: what it brings can be given back at once, while what a cancelled
# one has taken comes back only after its lease.
_LAST_READ = 0.1

# However little grace there is: what is not said now, the queue learns only after the lease.
_LAST_WORD = 1.0


class Worker:
    """Works from start() to end(), once, in one event loop. `owner` is the processor whose handlers these are."""

    def __init__(
        self,
        owner: object,
        queue: MessageQueue,
        handling: MessageHandling,
        consumers: int,
        outages: Outages,
        tally: Tally,
    ) -> None:
        self.failure: BaseException | None = None
        """What broke the worker; it reads no more then."""
        self.outages = outages
        self._owner = owner
        self._queue = queue
        self._handling = handling
        self._consumers = consumers
        self._tally = tally
        self._leases = Leases(queue, outages)
        self._acks = Acknowledgements(self._acknowledge, self._errand_ended)
        self._handlers: dict[asyncio.Task[None], Message] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ending: asyncio.Task[list[Message]] | None = None
        self._given_back: list[Message] = []

    # ------------------------------------------------------------ what one can ask

    @property
    def reading(self) -> bool:
        return not self._stopping.is_set()

    @property
    def in_work(self) -> int:
        return len(self._handlers)

    @property
    def in_hand(self) -> list[Message]:
        return self._leases.held

    async def stopped(self) -> None:
        """Return when it has been told to stop, or is broken."""
        await self._stopping.wait()

    async def idle(self) -> None:
        """Return when nothing is in its hand, or it is broken."""
        while self._leases and self.failure is None:
            await self._change()

    # ------------------------------------------------------------ from start to end

    def start(self) -> None:
        with handling_for(self._owner):
            # Handlers are started by the reader, and so know whose they are.
            self._reader = self._start(self._read(), "queue-processor reader")
        self._renewer = self._start(self._leases.keep(), "queue-processor leases")

    def stop_reading(self) -> None:
        self._stopping.set()
        self._changed.set()

    async def drain(self, seconds: float | None) -> None:
        """Read no more, and give the handlers so many seconds (None: all they need), and time to acknowledge.

        Cancelled, it leaves them at work.
        """
        self.stop_reading()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.wait([self._reader], timeout=_LAST_READ)
                self._reader.cancel()
                while self._handlers:
                    await asyncio.wait(self._handlers)
                await self._acks.flushed()
        except TimeoutError:
            pass

    async def end(self, seconds: float) -> list[Message]:
        """Cancel the handlers that still run and give their messages back, uncounted; return these.

        So many seconds, at least one, for the queue to hear of it; what it does not hear of comes back after its lease.
        Cancelled, it is as thorough. Called again, it returns the same.
        """
        self.stop_reading()
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(seconds), name="queue-processor end")
        await ended([self._ending])
        return self._given_back

    async def _end(self, seconds: float) -> list[Message]:
        try:
            for task in (self._reader, *self._handlers):
                task.cancel()
            await ended([self._reader, *self._handlers])
            async with asyncio.timeout(max(seconds, _LAST_WORD)):
                await self._acks.flushed()
                await ended(self._errands)
                await self._give_back()
        except TimeoutError:
            pass
        except Exception as error:  # noqa: BLE001 - told to whoever leaves
            self._fail(error)
        finally:
            self._renewer.cancel()
            for task in self._errands:
                task.cancel()
            await ended([self._renewer, *self._acks.cancel(), *self._errands])
            self._leases.drop(self._leases.held)
            self._changed.set()
        return self._given_back

    async def _give_back(self) -> None:
        self._given_back = self._leases.held
        if self._given_back:
            await self.outages.outlast(self._queue.release, *self._given_back)

    # ------------------------------------------------------------ reading

    async def _read(self) -> None:
        while self.reading:
            if not (free := self._free()):
                await self._change()
                continue
            batch = await self.outages.outlast(self._queue.get_batch, free)
            self._leases.hold(batch)
            if not self.reading:
                await self._hand_back(*batch)
            elif len(batch) == 1 and batch[0].is_suspect:
                await self._handle_alone(batch[0])
            else:
                for message in batch:
                    self._handle(message)

    def _free(self) -> int:
        # A queue that acknowledges more slowly than it hands out sets the pace: what is done and not acknowledged
        # is done again if this worker dies.
        if self._acks.pending > 2 * self._consumers:
            return 0
        return self._consumers - len(self._handlers)

    async def _handle_alone(self, message: Message) -> None:
        """Nobody goes down with it, and nothing that is done comes back because of it."""
        await self._nothing_else_in_work()
        if not self.reading:
            await self._hand_back(message)
            return
        self._handle(message)
        await self._nothing_else_in_work()

    async def _nothing_else_in_work(self) -> None:
        while self.reading and (self._handlers or self._acks.pending):
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    # ------------------------------------------------------------ handling

    def _handle(self, message: Message) -> None:
        # A task for each: it can be cancelled by itself, and has context variables of its own.
        task = asyncio.get_running_loop().create_task(self._handle_one(message), name="queue-processor handler")
        self._handlers[task] = message
        task.add_done_callback(self._handler_broke_off)

    async def _handle_one(self, message: Message) -> None:
        if await self._handling.succeeds(message):
            self._acks.add(message)
        else:
            self._leases.drop([message])
        # Nothing is left to be seen to: to be called back for each message would cost a third of the throughput.
        if (task := asyncio.current_task()) is not None:
            task.remove_done_callback(self._handler_broke_off)
            self._handlers.pop(task, None)
        self._changed.set()

    def _handler_broke_off(self, task: asyncio.Task[None]) -> None:
        message = self._handlers.pop(task)
        self._changed.set()
        if not task.cancelled():
            self._fail(task.exception())
        elif self._ending is None:
            # By somebody else, perhaps before it began: another worker may have better luck.
            self._errands.add(errand := self._start(self._hand_back(message), "queue-processor hand-back"))
            errand.add_done_callback(self._errands.discard)

    async def _hand_back(self, *messages: Message) -> None:
        await self.outages.outlast(self._queue.release, *messages)
        self._leases.drop(messages)
        self._changed.set()

    async def _acknowledge(self, batch: list[Message]) -> None:
        await self.outages.outlast(self._queue.ack, *batch)
        self._leases.drop(batch)
        self._tally.done += len(batch)
        self._changed.set()

    # ------------------------------------------------------------ what breaks

    def _start(self, coroutine: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        task.add_done_callback(self._errand_ended)
        return task

    def _errand_ended(self, task: asyncio.Task[None]) -> None:
        self._changed.set()
        if not task.cancelled():
            self._fail(task.exception())
        elif self.reading:
            self._fail(ConsumersGone("the processor's own tasks were cancelled by somebody else"))

    def _fail(self, error: BaseException | None) -> None:
        if error is not None and self.failure is None:
            self.failure = error
            self.stop_reading()
