"""A processor on items in memory: what its calls do there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from queue_processor import service
from queue_processor.channel import Channel
from queue_processor.consumers import Consumer, Work
from queue_processor.errors import ItemFailed, ProcessorNotRunning, QueueClosed
from queue_processor.handling import inside_handler_of
from queue_processor.roster import wind_down
from queue_processor.run import Results, Run
from queue_processor.sources import feed
from queue_processor.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

    from queue_processor.channel import Delivery
    from queue_processor.dead_letters import DeadLetter
    from queue_processor.retry import Backoff

T = TypeVar("T")
R = TypeVar("R")


class ItemService(Generic[T, R]):
    """The calls of one processor. `bury` is told of each item that failed for good; what it raises ends the consumer.

    `tries` is how often an item is tried, and how long it waits between; `ending` how many seconds to drain, and then
    the grace.
    """

    def __init__(
        self,
        owner: object,
        handle: Callable[[T], Awaitable[R]],
        consumers: int,
        maxsize: int,
        tries: tuple[int, Backoff],
        ending: tuple[float | None, float],
        bury: Callable[[DeadLetter[T]], None],
    ) -> None:
        self.place: Workplace[T, R] = Workplace(owner, consumers, maxsize)
        self._owner = owner
        self._handle = handle
        self._consumers = consumers
        self._tries = tries
        self._ending = ending
        self._bury = bury

    # ------------------------------------------------------------ what one can ask

    @property
    def running(self) -> bool:
        return len(self.place.roster) > 0

    @property
    def unfinished(self) -> list[T]:
        return self.place.unfinished()

    def stop(self) -> None:
        """Each consumer finishes the item in its hand."""
        if self.place.crew is not None:
            self.place.channel.close()
        self.place.roster.stop()

    # ------------------------------------------------------------ one call, and tasks of the caller's own

    async def process_all(self, items: Iterable[T] | AsyncIterable[T]) -> Results[R, T]:
        place = self.place
        place.enter("process_all()")
        run: Run[T, R] = Run(Channel(place.channel.maxsize), place.results)
        place.runs.add(run)

        def failed(letter: DeadLetter[T]) -> None:
            run.dead_letters.append(letter)
            self._bury(letter)

        try:
            work = self._work(run.succeeded, failed)
            consumers = [Consumer(run.channel, work, place.gate) for _ in range(self._consumers)]
            return await run.execute(consumers, items)
        except BaseException:
            place.cut_short += run.unfinished()
            raise
        finally:
            place.runs.discard(run)

    async def producer(self, items: Iterable[T] | AsyncIterable[T]) -> None:
        place = self.place
        place.enter_queue("producer()")
        with place.rounds.feeding():
            try:
                await feed(place.channel, items)
            except QueueClosed:
                place.raise_failure()
                raise

    async def consumer(self) -> None:
        place = self.place
        place.enter_queue("consumer()")
        work = self._work(lambda _, result: place.results.append(result), self._bury)
        consumer = Consumer(place.channel, work)
        with place.rounds.consuming(consumer):
            # Consumers that are started together must all be known before the first one leaves.
            await asyncio.sleep(0)
            try:
                await consumer.run()
            except ItemFailed as failure:
                place.fail(failure)
                raise

    # ------------------------------------------------------------ a service

    def start(self) -> None:
        service.start(self.place, self._work(_drop, self._bury), self._consumers)

    async def leave(self, error: BaseException | None) -> None:
        try:
            if error is None:
                await service.drain(self.place, *self._ending)
        finally:
            await service.leave(self.place)

    async def put(self, item: T) -> None:
        place = self.place
        if place.crew is None:
            raise ProcessorNotRunning("put() needs consumers; use it inside `async with` of the processor")
        if place.channel.has_room() or (inside_handler_of(self._owner) and place.failure is None):
            place.channel.push(item)
        else:
            await place.put(item)

    async def join(self) -> None:
        self.place.check_outside_handler("join()")
        await self.place.join()

    async def shutdown(self, drain: float | None, grace: float) -> list[T]:
        place = self.place
        place.check_outside_handler("shutdown()")
        place.told_what_is_left = True
        place.channel.close()
        await wind_down(place.roster, drain, grace)
        return place.unfinished()

    # ------------------------------------------------------------ inside

    def _work(self, succeeded: Callable[[Delivery[T], R], None], failed: Callable[[DeadLetter[T]], None]) -> Work[T, R]:
        return Work(self._owner, self._handle, *self._tries, succeeded, failed)


def _drop(delivery: Delivery[Any], result: object) -> None:
    """The service keeps no results."""
