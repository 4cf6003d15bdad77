"""One process_all(): its own queue, its own consumers, its own results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from queue_processor.crew import Crew
from queue_processor.sources import feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Sequence

    from queue_processor.channel import Channel, Delivery
    from queue_processor.consumers import Consumer
    from queue_processor.dead_letters import DeadLetter

T = TypeVar("T")
R = TypeVar("R")


class Results(list[R], Generic[R, T]):
    """The results in the order of the items. One that failed for good has none: see `dead_letters`."""

    def __init__(self, results: Iterable[R] = (), dead_letters: Iterable[DeadLetter[T]] = ()) -> None:
        super().__init__(results)
        self.dead_letters: list[DeadLetter[T]] = list(dead_letters)
        """The items of this call that failed for good; ``number`` is the item's place in the input."""


class Run(Generic[T, R]):
    """`seen` also gets each result, as it comes."""

    def __init__(self, channel: Channel[T], seen: list[R]) -> None:
        self.channel = channel
        self.dead_letters: list[DeadLetter[T]] = []
        self._seen = seen
        self._results: dict[int, R] = {}

    def succeeded(self, delivery: Delivery[T], result: R) -> None:
        self._results[delivery.number] = result
        self._seen.append(result)

    async def execute(
        self, consumers: Sequence[Consumer[T, R]], items: Iterable[T] | AsyncIterable[T]
    ) -> Results[R, T]:
        """Feed and consume until all is done. However it ends, none of its tasks is left running."""
        crew = Crew(consumers, on_break=lambda _: self.channel.close())
        try:
            crew.start(lambda consumer: consumer.run(), self._feed(items))
            await crew.join()
        except GeneratorExit:
            raise  # collected as garbage after its loop was closed: there is nobody to wait for, and no way to
        except BaseException:
            await crew.cancel()
            raise
        results = self._results
        return Results([results[number] for number in sorted(results)], self.dead_letters)

    def unfinished(self) -> list[T]:
        return [delivery.item for delivery in self.channel.waiting]

    async def _feed(self, items: Iterable[T] | AsyncIterable[T]) -> None:
        await feed(self.channel, items)
        self.channel.close()
