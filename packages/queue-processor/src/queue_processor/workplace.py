"""What the calls of one processor share: the queue, who is at work on it, in which event loop, and what broke."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from queue_processor.channel import Channel
from queue_processor.errors import CalledFromHandler, ItemFailed, QueueClosed, UnfinishedWork, WrongEventLoop
from queue_processor.gate import Gate
from queue_processor.handling import inside_handler_of
from queue_processor.roster import Roster
from queue_processor.rounds import Rounds

if TYPE_CHECKING:
    from queue_processor.crew import Crew
    from queue_processor.run import Run

T = TypeVar("T")
R = TypeVar("R")


class Workplace(Generic[T, R]):
    """Shared by process_all(), producer(), consumer() and the service of one processor."""

    def __init__(self, owner: object, consumers: int, maxsize: int) -> None:
        self.channel: Channel[T] = Channel(maxsize)
        self.roster = Roster(self.channel)
        self.rounds = Rounds(self.channel, self.roster)
        self.gate = Gate(consumers)
        self.crew: Crew | None = None
        """The consumers of the service, while there is one."""
        self.runs: set[Run[T, R]] = set()
        self.results: list[R] = []
        self.cut_short: list[T] = []
        """Read by a process_all() that ended early, and not done."""
        self.failure: BaseException | None = None
        self.told_what_is_left = False
        self._owner = owner
        self._consumers = consumers
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self, what: str) -> None:
        """Check that `what` can work here and now, and start afresh if nothing else is at work.

        Raises CalledFromHandler and WrongEventLoop.
        """
        self.check_outside_handler(what)
        self._adopt(asyncio.get_running_loop())
        if self.rounds.at_work() or self.crew is not None:
            return
        if not self.channel.unfinished and not self.runs:
            self.results = []
            self.cut_short = []

    def enter_queue(self, what: str) -> None:
        """As enter(), for those who work on the shared queue: open it again if an earlier use has closed it."""
        self.enter(what)
        if self.rounds.at_work() or self.crew is not None:
            return
        self.failure = None
        self.told_what_is_left = False
        if self.channel.closed:
            self.channel.reopen()

    def check_outside_handler(self, what: str) -> None:
        if inside_handler_of(self._owner):
            raise CalledFromHandler(
                f"{what} was called from a handler of the same processor, for which it would have to wait; "
                "call it outside, or use a processor of its own"
            )

    def fail(self, error: BaseException) -> None:
        """Something has gone wrong for good: accept nothing more, start nothing more, and tell those who wait."""
        if self.failure is None:
            self.failure = error
        self.channel.close()
        self.roster.stop()

    def raise_failure(self) -> None:
        if isinstance(self.failure, ItemFailed):
            # A new one for each caller: a shared exception would collect the tracebacks of all of them.
            raise ItemFailed(self.failure.dead_letter) from self.failure.dead_letter.error
        if self.failure is not None:
            raise self.failure

    async def put(self, item: T) -> None:
        """Put into the shared queue. Raises QueueClosed, or the failure because of which it is closed."""
        try:
            await self.channel.put(item)
        except QueueClosed:
            self.raise_failure()
            raise

    async def join(self) -> None:
        """Return when everything that was put is done or dead; raise when that will not come."""
        while self.channel.unfinished:
            self.raise_failure()
            if self.channel.closed and not self.roster:
                raise UnfinishedWork(self.unfinished())
            await self.channel.settled()
        self.raise_failure()

    def unfinished(self) -> list[T]:
        in_work = [delivery for consumer in self.roster if (delivery := consumer.in_hand) is not None]
        left = sorted([*in_work, *self.channel.waiting], key=_by_number)
        return [*self.cut_short, *(delivery.item for delivery in left)]

    # ------------------------------------------------------------ the event loop

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._loop:
            return
        self.forget_closed_loop()
        if self.crew is not None or self.runs or self.rounds.at_work():
            raise WrongEventLoop(
                "this processor is at work in another event loop that is still open; make one processor per event loop"
            )
        self._loop = loop

    def forget_closed_loop(self) -> None:
        """Those who were at work in a loop that is closed never come back; the items that wait are kept."""
        if self._loop is None or not self._loop.is_closed():
            return
        self._loop = None
        self.crew = None
        self.runs = set()
        self.roster.forget()
        self.rounds.forget()
        self.gate = Gate(self._consumers)


def _by_number(delivery: Any) -> int:
    number: int = delivery.number
    return number
