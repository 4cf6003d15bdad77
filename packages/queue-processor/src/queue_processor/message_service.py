"""A processor on a message queue: what its calls do there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from queue_processor.errors import CalledFromHandler, ProcessorNotRunning, WrongEventLoop
from queue_processor.handling import inside_handler_of
from queue_processor.message_handling import MessageHandling
from queue_processor.message_options import results_stay
from queue_processor.outages import Outages
from queue_processor.tally import Tally
from queue_processor.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from queue_processor.queues.message_queue import Counts, Message, MessageQueue
    from queue_processor.retry import Backoff

# Between two looks at a queue on which others are still at work, in seconds.
_FIRST_LOOK, _LONGEST_LOOK = 0.01, 0.5


class MessageService:
    """Starts and ends the worker of one processor. `ending` is how many seconds to drain, and then the grace."""

    def __init__(
        self,
        owner: object,
        queue: MessageQueue,
        handle: Callable[[Message], Awaitable[object]],
        consumers: int,
        backoff: Backoff,
        ending: tuple[float | None, float],
    ) -> None:
        self.queue = queue
        self._owner = owner
        self._handle = handle
        self._consumers = consumers
        self._backoff = backoff
        self._ending = ending
        self._tally = Tally()
        self._worker: Worker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._since = 0.0

    # ------------------------------------------------------------ what one can ask

    @property
    def running(self) -> bool:
        return self._worker is not None and self._worker.reading

    @property
    def unfinished(self) -> list[Any]:
        return self._worker.in_hand if self._worker is not None else []

    @property
    def tally(self) -> Tally:
        if self._worker is None or self._loop is None:
            return replace(self._tally)
        seconds = self._tally.seconds + self._loop.time() - self._since
        return replace(self._tally, in_work=self._worker.in_work, seconds=seconds)

    # ------------------------------------------------------------ from start to end

    def start(self) -> None:
        """Start the worker. Raises ProcessorNotRunning if there is one, and WrongEventLoop if it is elsewhere."""
        self._check_outside_handler("async with")
        loop = asyncio.get_running_loop()
        if self._worker is not None and self._loop is not None and not self._loop.is_closed():
            if self._loop is not loop:
                raise WrongEventLoop("this processor is at work in another event loop; make one processor per loop")
            raise ProcessorNotRunning("this processor is at work already; enter it again when it has been left")
        self._loop, self._since = loop, loop.time()
        outages = Outages(self.queue.lease)
        handling = MessageHandling(self.queue, self._handle, self._backoff, outages, self._tally)
        self._worker = Worker(self._owner, self.queue, handling, self._consumers, outages, self._tally)
        self._worker.start()

    async def leave(self, error: BaseException | None) -> None:
        """Finish what is in hand; after an error, give it back instead. Raises what broke the worker."""
        worker = self._at_work("leaving")
        drain, grace = self._ending
        try:
            if error is None and worker.failure is None:
                await worker.drain(_together(drain, grace))
        finally:
            try:
                await worker.end(grace)
            finally:
                self._worker = None
                self._tally.seconds += asyncio.get_running_loop().time() - self._since
        if error is None and worker.failure is not None:
            raise worker.failure

    async def run(self) -> None:
        """Work until shutdown(). Raises what broke the worker."""
        self._check_outside_handler("run()")
        if self._worker is not None:
            await self._worker.stopped()
            return
        self.start()
        try:
            await self._at_work("run()").stopped()
        except BaseException as error:
            await self.leave(error)
            raise
        await self.leave(None)

    async def shutdown(self, drain: float | None, grace: float) -> list[Any]:
        """Read no more, finish what is in hand, and return what was given back instead."""
        self._check_outside_handler("shutdown()")
        if (worker := self._worker) is None:
            return []
        await worker.drain(_together(drain, grace))
        return await worker.end(grace)

    def stop(self) -> None:
        """Read no more; what is in hand is finished."""
        if self._worker is not None:
            self._worker.stop_reading()

    # ------------------------------------------------------------ messages

    async def put(self, body: Any) -> str:
        """As put_many(), for one."""
        return (await self.put_many([body]))[0]

    async def put_many(self, bodies: Iterable[Any]) -> list[str]:
        """Put messages; their ids. Raises TypeError for a body that is not of bytes, and then has put none."""
        checked = [_checked(body) for body in bodies]
        if self._worker is not None and self._worker.failure is not None:
            raise self._worker.failure
        return await self.queue.put_many(checked)

    async def join(self) -> None:
        """Return when the queue is empty and nobody has anything of it in hand."""
        worker, pause = self._at_work("join()"), _FIRST_LOOK
        while True:
            await worker.idle()
            counts = await worker.outages.outlast(self.queue.counts)
            if worker.failure is not None:
                raise worker.failure
            if not (counts.waiting or counts.in_flight):
                return
            if not worker.reading:
                raise ProcessorNotRunning(_left(counts))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_LOOK)

    # ------------------------------------------------------------ what a queue does not do

    async def process_all(self, _: object) -> NoReturn:
        raise results_stay("process_all()")

    async def producer(self, _: object) -> NoReturn:
        raise results_stay("producer()")

    async def consumer(self) -> NoReturn:
        raise results_stay("consumer()")

    # ------------------------------------------------------------ inside

    def _at_work(self, what: str) -> Worker:
        self._check_outside_handler(what)
        if self._worker is None:
            raise ProcessorNotRunning(f"{what} needs consumers; use it inside `async with` of the processor")
        return self._worker

    def _check_outside_handler(self, what: str) -> None:
        if inside_handler_of(self._owner):
            raise CalledFromHandler(f"{what} was called from a handler of the same processor, and would wait for it")


def _together(drain: float | None, grace: float) -> float | None:
    return None if drain is None else drain + grace


def _checked(body: object) -> bytes:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise TypeError(f"a message is of bytes, not {type(body).__name__}; for JSON: json.dumps(body).encode()")


def _left(counts: Counts) -> str:
    return (
        f"the processor was shut down, and {counts.waiting + counts.in_flight} message(s) are not done; they are kept "
        "in the queue: enter the processor again, or another one"
    )
