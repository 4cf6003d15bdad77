"""QueueProcessor: producers, a bounded queue, consumers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, cast, overload

from queue_processor.channel import Channel
from queue_processor.consumers import Consumer, Work, check_handler, inside_handler_of
from queue_processor.crew import Crew
from queue_processor.dead_letters import DeadLetter
from queue_processor.errors import (
    CalledFromHandler,
    ItemFailed,
    ProcessorNotRunning,
    QueueClosed,
    UnfinishedWork,
    WrongEventLoop,
)
from queue_processor.gate import Gate
from queue_processor.item_queue import ItemQueue
from queue_processor.retry import Backoff
from queue_processor.roster import Roster, wind_down
from queue_processor.rounds import Rounds
from queue_processor.run import Results, Run
from queue_processor.sources import feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
    from types import TracebackType

    from queue_processor.channel import Delivery

T = TypeVar("T")
R = TypeVar("R")


class QueueProcessor(Generic[T, R]):
    """Have each item handled by one of a few consumers, behind a bounded queue.

    Three ways to use it, also together::

        results = await QueueProcessor(handle, consumers=4).process_all(items)

        async with QueueProcessor(handle, consumers=4) as processor:   # a service
            await processor.put(item)

        producer, consumer = processor.producer(items), processor.consumer()   # your own tasks

    `handler`: ``async def`` taking one item; what it returns is the result. Without one, process_item() is called.
    `consumers`: how many handlers run at once, over all process_all() calls and the service together; consumer()
    calls of your own count for themselves. `maxsize`: how many items wait before producers do. `attempts`: how often an
    item is tried before it is a dead letter, with `backoff` between. `on_failure`: "collect" puts an item that failed
    for good with `dead_letters` and goes on; "raise" also stops everything and raises ItemFailed. `drain`: seconds for
    what is queued when ``async with`` is left (None: as long as it takes); then `grace` seconds for what is in
    work, then it is cancelled.

    Raises ValueError or TypeError at once for arguments that cannot work.
    """

    @overload
    def __init__(
        self: QueueProcessor[Any, Any],
        handler: None = None,
        *,
        consumers: int = 1,
        maxsize: int = 100,
        attempts: int = 3,
        backoff: Backoff | None = None,
        on_failure: Literal["collect", "raise"] = "collect",
        drain: float | None = None,
        grace: float = 1.0,
    ) -> None: ...

    @overload
    def __init__(
        self,
        handler: Callable[[T], Awaitable[R]],
        *,
        consumers: int = 1,
        maxsize: int = 100,
        attempts: int = 3,
        backoff: Backoff | None = None,
        on_failure: Literal["collect", "raise"] = "collect",
        drain: float | None = None,
        grace: float = 1.0,
    ) -> None: ...

    def __init__(
        self,
        handler: Callable[[T], Awaitable[R]] | None = None,
        *,
        consumers: int = 1,
        maxsize: int = 100,
        attempts: int = 3,
        backoff: Backoff | None = None,
        on_failure: Literal["collect", "raise"] = "collect",
        drain: float | None = None,
        grace: float = 1.0,
    ) -> None:
        check_handler(handler)
        for name, number in (("consumers", consumers), ("attempts", attempts)):
            if number < 1:
                raise ValueError(f"{name}={number}: no item would ever be handled; give 1 or more")
        if on_failure not in ("collect", "raise"):
            raise ValueError(f'on_failure={on_failure!r} must be "collect" or "raise"')
        self.consumers = consumers
        self.results: list[R] = []
        """Results in the order in which they came, of the latest process_all() or producer()/consumer() round (of
        several that overlap: of all). The service keeps none."""
        self.dead_letters: list[DeadLetter[T]] = []
        """Items that failed for good. It grows until you take them out; remove what you have dealt with."""
        self._handle = handler or self.process_item
        self._attempts = attempts
        self._backoff = backoff or Backoff()
        self._on_failure = on_failure
        self._drain = drain
        self._grace = grace
        self._channel: Channel[T] = Channel(maxsize)
        self._roster = Roster(self._channel)
        self._rounds = Rounds(self._channel, self._roster)
        self._queue = ItemQueue(self._channel, self._rounds)
        self._gate = Gate(consumers)
        self._crew: Crew | None = None
        self._failure: BaseException | None = None
        self._shut_down = False
        self._runs: dict[Run[T, R], None] = {}
        self._cut_short: list[T] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self.consumers} consumer(s), {self.queue.qsize()} waiting, "
            f"{len(self.results)} results, {len(self.dead_letters)} dead letters>"
        )

    async def process_item(self, item: T) -> R:
        """What happens to an item when no handler was given; for subclasses to override."""
        await asyncio.sleep(0.01)
        return cast("R", f"processed_{item}")

    # ------------------------------------------------------------ what one can ask

    @property
    def queue(self) -> ItemQueue[T]:
        """Where the items of put() and producer() wait. A process_all() has a queue of its own, equally bounded."""
        return self._queue

    @property
    def running(self) -> bool:
        """Whether anybody consumes from `queue`. Set to False: each consumer() returns after the item in its hand."""
        return len(self._roster) > 0

    @running.setter
    def running(self, value: bool) -> None:
        if not value:
            self._roster.stop()

    @property
    def unfinished(self) -> list[T]:
        """Accepted, and neither done nor dead: in work, waiting, or left by the latest process_all() cut short."""
        in_work = [delivery for consumer in self._roster if (delivery := consumer.in_hand) is not None]
        left = sorted([*in_work, *self._channel.waiting], key=lambda delivery: delivery.number)
        return [*self._cut_short, *(delivery.item for delivery in left)]

    # ------------------------------------------------------------ one call

    async def process_all(self, items: Iterable[T] | AsyncIterable[T]) -> Results[R, T]:
        """Handle all items and return their results, in the order of the items.

        An item that failed for good has no result; it is in ``.dead_letters`` of what is returned (and of the
        processor). Items are read no faster than they are handled. Several calls may run at once.

        Raises what the iterable raises, and ItemFailed if so asked. Whatever ends it early, cancellation
        included: no handler is left running, and what had been read but not done is in `unfinished`.
        """
        self._enter("process_all()")
        run: Run[T, R] = Run(Channel(self._channel.maxsize), self.results)
        self._runs[run] = None
        try:
            work = self._work(run.succeeded, lambda letter: self._bury(letter, run.dead_letters))
            return await run.execute([Consumer(run.channel, work, self._gate) for _ in range(self.consumers)], items)
        except BaseException:
            self._cut_short = run.unfinished()
            raise
        finally:
            self._runs.pop(run, None)

    # ------------------------------------------------------------ your own tasks

    async def producer(self, items: Iterable[T] | AsyncIterable[T]) -> None:
        """Put all items, waiting for room. When the last producer at work returns, the input has ended.

        Raises what the iterable raises, QueueClosed after a shutdown, and ItemFailed if so asked. Cancelled, it leaves
        what it has read in the queue.
        """
        self._enter("producer()")
        with self._rounds.feeding():
            # Producers that are started together must all be known before the first one ends.
            await asyncio.sleep(0)
            try:
                await feed(self._channel, items)
            except QueueClosed:
                self._raise_failure()
                raise

    async def consumer(self) -> None:
        """Handle items until the input has ended and all are done; the results go to `results`.

        Start as many as you like. Cancelled, it gives the item in its hand back: another consumer has it next.
        """
        self._enter("consumer()")
        work = self._work(lambda _, result: self.results.append(result), self._bury)
        consumer = Consumer(self._channel, work)
        with self._rounds.consuming(consumer):
            # Consumers that are started together must all be known before the first one leaves.
            await asyncio.sleep(0)
            try:
                await consumer.run()
            except ItemFailed as failure:
                self._break(failure)
                raise

    # ------------------------------------------------------------ a service

    async def __aenter__(self) -> Self:
        """Start the consumers. What an earlier service left unfinished is done first."""
        self._enter("async with")
        if self._crew is not None:
            raise ProcessorNotRunning("this processor has been entered already; enter it again when it has been left")
        self._channel.reopen()
        self._rounds.serving = True
        self._crew = Crew(self._crew_broke)
        work = self._work(_drop, self._bury)
        self._crew.start(self._serve(Consumer(self._channel, work, self._gate)) for _ in range(self.consumers))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain; after an exception in the block, or when cancelled meanwhile, cancel and keep what was not done."""
        crew = cast("Crew", self._crew)
        try:
            if error is None:
                await self._drain_or_complain(crew)
        finally:
            self._channel.close()
            try:
                await crew.cancel()
            finally:
                self._crew = None
                self._rounds.serving = False

    async def put(self, item: T) -> None:
        """Put one item, waiting for room. Any item: None is one too.

        A put from inside a handler of this processor never waits, as it would wait for itself; it may exceed the bound.
        Raises QueueClosed after a shutdown, ItemFailed if so asked. Cancelled, it has put nothing.
        """
        if self._crew is None:
            raise ProcessorNotRunning("put() needs consumers; use it inside `async with` of the processor")
        if self._channel.has_room():
            self._channel.push(item)
        elif inside_handler_of(self) and self._failure is None:
            self._channel.push(item)
        else:
            try:
                await self._channel.put(item)
            except QueueClosed:
                self._raise_failure()
                raise

    async def join(self) -> None:
        """Return when everything that was put is done or dead. Raises ItemFailed if so asked."""
        while self._channel.unfinished and self._failure is None:
            await self._channel.change()
        self._raise_failure()

    async def shutdown(self, drain: float | None = None, grace: float = 1.0) -> list[T]:
        """Take no more items, do what is queued, and return what was not done (it stays in `unfinished`).

        After `drain` seconds (None: never) no further item is started; after `grace` more, handlers are cancelled and
        their items given back. Works for the service and for consumer() tasks of your own, which then return.
        Cancelled, it leaves them draining.
        """
        if inside_handler_of(self):
            raise CalledFromHandler(
                "shutdown() was called from a handler, for which it would have to wait; call it outside"
            )
        self._shut_down = True
        self._channel.close()
        await wind_down(self._roster, drain, grace)
        return self.unfinished

    # ------------------------------------------------------------ inside

    def _work(self, succeeded: Callable[[Delivery[T], R], None], failed: Callable[[DeadLetter[T]], None]) -> Work[T, R]:
        return Work(self, self._handle, self._attempts, self._backoff, succeeded, failed)

    def _bury(self, letter: DeadLetter[T], also: list[DeadLetter[T]] | None = None) -> None:
        self.dead_letters.append(letter)
        if also is not None:
            also.append(letter)
        if self._on_failure == "raise":
            raise ItemFailed(letter) from letter.error

    async def _serve(self, consumer: Consumer[T, R]) -> None:
        self._roster.add(consumer)
        try:
            await consumer.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._break(error)
            raise
        finally:
            self._roster.remove(consumer)

    def _crew_broke(self) -> None:
        if self._crew is not None and self._crew.broken is not None:
            self._break(self._crew.broken)

    def _break(self, error: BaseException) -> None:
        self._failure = error
        self._channel.close()
        self._roster.stop()

    def _raise_failure(self) -> None:
        if isinstance(self._failure, ItemFailed):
            # A new one for each caller: a shared exception would collect the tracebacks of all of them.
            raise ItemFailed(self._failure.dead_letter) from self._failure.__cause__
        if self._failure is not None:
            raise self._failure

    async def _drain_or_complain(self, crew: Crew) -> None:
        self._channel.close()
        await wind_down(self._roster, self._drain, self._grace)
        await crew.join()
        if self.unfinished and not self._shut_down:
            raise UnfinishedWork(self.unfinished, self._drain)

    def _enter(self, what: str) -> None:
        """Check that `what` can work here and now, and start afresh if nothing else is at work."""
        if what != "producer()" and inside_handler_of(self):
            raise CalledFromHandler(
                f"{what} was called from a handler of the same processor, which would wait for itself"
            )
        self._adopt(asyncio.get_running_loop())
        if self._rounds.at_work() or self._crew is not None:
            return
        if what != "process_all()":
            self._failure = None
            self._shut_down = False
            if self._channel.closed:
                self._channel.reopen()
        if not self._channel.unfinished and not self._runs:
            self.results = []
            self._cut_short = []

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._loop:
            return
        if self._loop is not None and self._loop.is_closed():
            self._forget_loop()
        elif self._crew is not None or self._runs or self._rounds.at_work():
            raise WrongEventLoop(
                "this processor is at work in another event loop that is still open; make one processor per event loop"
            )
        self._loop = loop

    def _forget_loop(self) -> None:
        """Those who were at work in a loop that is closed never come back; the items that wait are kept."""
        self._crew = None
        self._runs = {}
        self._roster.forget()
        self._rounds.forget()
        self._gate = Gate(self.consumers)


def _drop(delivery: Delivery[Any], result: object) -> None:
    """The service keeps no results: it would grow for ever."""
