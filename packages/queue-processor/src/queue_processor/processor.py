"""QueueProcessor: producers, a bounded queue, consumers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, cast, overload

from queue_processor.consumers import check_handler
from queue_processor.errors import ItemFailed
from queue_processor.item_queue import ItemQueue
from queue_processor.item_service import ItemService
from queue_processor.message_options import messages_only, refuse_for_messages
from queue_processor.message_service import MessageService
from queue_processor.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
    from types import TracebackType

    from queue_processor.dead_letters import DeadLetter
    from queue_processor.queues.message_queue import Message, MessageQueue
    from queue_processor.run import Results
    from queue_processor.tally import Tally

T = TypeVar("T")
R = TypeVar("R")

_ATTEMPTS = 3
_MAXSIZE = 100


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

    `queue`: a :class:`MessageQueue`, opened by you, instead of the memory: the handler gets each
    :class:`Message` at least once. The queue says how often one is tried, and keeps the dead letters::

        async with SQLiteQueue(path) as queue, QueueProcessor(handle, queue=queue, consumers=8) as processor:
            await processor.put(b"...")
            await processor.join()      # or run(): until shutdown()

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
        self: QueueProcessor[Message, R],
        handler: Callable[[Message], Awaitable[R]] | None = None,
        *,
        queue: MessageQueue,
        consumers: int = 1,
        backoff: Backoff | None = None,
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
        handler: Callable[[Any], Awaitable[R]] | None = None,
        *,
        consumers: int = 1,
        maxsize: int | None = None,
        attempts: int | None = None,
        backoff: Backoff | None = None,
        on_failure: Literal["collect", "raise"] = "collect",
        drain: float | None = None,
        grace: float = 1.0,
        queue: MessageQueue | None = None,
    ) -> None:
        check_handler(handler)
        if queue is not None:
            refuse_for_messages(attempts, maxsize, on_failure, has_handler=handler is not None or self._overridden())
        for name, number in (("consumers", consumers), ("attempts", attempts)):
            if number is not None and number < 1:
                raise ValueError(f"{name}={number}: no item would ever be handled; give 1 or more")
        if on_failure not in ("collect", "raise"):
            raise ValueError(f'on_failure={on_failure!r} must be "collect" or "raise"')
        self.consumers = consumers
        self.dead_letters: list[DeadLetter[T]] = []
        """Items that failed for good. It grows until you take them out; remove what you have dealt with."""
        self._on_failure = on_failure
        handle = handler or self.process_item
        backoff, ending = backoff or Backoff(), (drain, grace)
        tries = _ATTEMPTS if attempts is None else attempts
        room = _MAXSIZE if maxsize is None else maxsize
        self._items: ItemService[T, R] = ItemService(
            self, handle, consumers, room, (tries, backoff), ending, self._bury
        )
        self._queue = ItemQueue(self._items.place)
        self._messages: MessageService | None = None
        if queue is not None:
            self._messages = MessageService(self, queue, cast("Any", handle), consumers, backoff, ending)
        self._service: ItemService[T, R] | MessageService = self._messages or self._items

    def __repr__(self) -> str:
        if self._messages is not None:
            return f"<{type(self).__name__}: {self.consumers} consumer(s) on {self._messages.queue!r}>"
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
        """Where the items of put() and producer() wait. A process_all() has a queue of its own, equally bounded.

        A processor on a message queue has none: AttributeError."""
        if self._messages is not None:
            raise AttributeError("the items are messages in the queue that you gave: ask that one")
        return self._queue

    @queue.setter
    def queue(self, _: object) -> None:
        raise AttributeError("the queue cannot be replaced; its bound is an argument: QueueProcessor(maxsize=…)")

    @property
    def results(self) -> list[R]:
        """Results in the order in which they came, of the latest process_all() or producer()/consumer() round (of
        several that overlap: of all). The service keeps none, as it would grow for ever."""
        return self._items.place.results

    @property
    def running(self) -> bool:
        """Whether anybody consumes from `queue`. Set to False: each consumer() returns after the item in its hand."""
        return self._service.running

    @running.setter
    def running(self, value: bool) -> None:
        if not value:  # it is consumer(), run() and `async with` that start consumers
            self._service.stop()

    @property
    def unfinished(self) -> list[T]:
        """Accepted, and neither done nor dead: in work, waiting, or left by a process_all() that ended early.

        On a message queue: what this processor has in hand."""
        return self._service.unfinished

    @property
    def tally(self) -> Tally:
        """On a message queue: how many messages this processor has done, retried and given up, and how fast."""
        if self._messages is None:
            raise AttributeError("a tally is kept on a message queue; here: results, dead_letters and unfinished")
        return self._messages.tally

    # ------------------------------------------------------------ one call

    async def process_all(self, items: Iterable[T] | AsyncIterable[T]) -> Results[R, T]:
        """Handle all items and return their results, in the order of the items.

        An item that failed for good has no result; it is in ``.dead_letters`` of what is returned (and of the
        processor). Items are read no faster than they are handled. Several calls may run at once.

        Raises what the iterable raises, and ItemFailed if so asked. Whatever ends it early, cancellation
        included: no handler is left running, and what had been read but not done is in `unfinished`.
        """
        return await self._service.process_all(items)

    # ------------------------------------------------------------ your own tasks

    async def producer(self, items: Iterable[T] | AsyncIterable[T]) -> None:
        """Put all items, waiting for room. When the last producer at work returns, the input has ended.

        Raises what the iterable raises, QueueClosed after a shutdown, and ItemFailed if so asked. Cancelled, it leaves
        what it has read in the queue.
        """
        await self._service.producer(items)

    async def consumer(self) -> None:
        """Handle items until the input has ended and all are done; the results go to `results`.

        Start as many as you like. Cancelled, it gives the item in its hand back: another consumer has it next.
        """
        await self._service.consumer()

    # ------------------------------------------------------------ a service

    async def __aenter__(self) -> Self:
        """Start the consumers. What an earlier service left unfinished is done first."""
        self._service.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain; after an exception in the block, or when cancelled meanwhile, cancel and keep what was not done.

        On a message queue nothing further is read: what is in hand is finished, what waits stays in the queue.
        """
        await self._service.leave(error)

    @overload
    async def put(self, item: T) -> None: ...

    @overload
    async def put(self: QueueProcessor[Message, Any], item: bytes) -> str: ...

    async def put(self, item: Any) -> str | None:
        """Put one item, waiting for room. Any item: None is one too.

        A put from inside a handler of this processor never waits, as it would wait for itself; it may exceed the bound.
        Raises QueueClosed after a shutdown, ItemFailed if so asked. Cancelled, it has put nothing.

        On a message queue: a body of bytes; returns the message's id. Raises QueueUnavailable, and does not try again,
        as it might put twice.
        """
        return await self._service.put(item)

    async def put_many(self: QueueProcessor[Message, Any], bodies: Iterable[bytes]) -> list[str]:
        """Put messages, all or none, and return their ids; for a processor on a message queue."""
        if self._messages is None:
            raise messages_only("put_many()")
        return await self._messages.put_many(bodies)

    async def join(self) -> None:
        """Return when everything that was put is done or dead; on a message queue, whoever put it and works on it.

        Raises ItemFailed if so asked, and UnfinishedWork when the processor was shut down before all was done.
        """
        await self._service.join()

    async def run(self) -> None:
        """Work on the message queue until shutdown(), then finish what is in hand; also without `async with`.

        Cancelled, it cancels the handlers and gives their messages back. Raises what broke the processor.
        """
        if self._messages is None:
            raise messages_only("run()")
        await self._messages.run()

    async def shutdown(self, drain: float | None = None, grace: float = 1.0) -> list[T]:
        """Take no more items, do what is queued, and return what was not done (it stays in `unfinished`).

        After `drain` seconds (None: never) no further item is started; after `grace` more, handlers are cancelled and
        their items given back. Works for the service and for consumer() tasks of your own, which then return.
        Cancelled, it leaves them draining. On a message queue nothing further is started at all.
        """
        return await self._service.shutdown(drain, grace)

    # ------------------------------------------------------------ inside

    def _overridden(self) -> bool:
        return type(self).process_item is not QueueProcessor.process_item

    def _bury(self, letter: DeadLetter[T]) -> None:
        self.dead_letters.append(letter)
        if self._on_failure == "raise":
            raise ItemFailed(letter) from letter.error
