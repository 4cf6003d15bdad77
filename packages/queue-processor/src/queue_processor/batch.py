"""The work in the background from one idle moment to the next, with what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from queue_processor.waiters import Waiters

R = TypeVar("R")


@dataclass(slots=True)
class Failure:
    """What an item in the background raised."""

    error: BaseException
    reported: bool = False
    """Whether the event loop's exception handler has had it, because nobody waited."""


class Batch(Generic[R]):
    """Outstanding items, results and failures. The next batch starts empty, so nothing grows for ever."""

    def __init__(self) -> None:
        self.results: list[R] = []
        self.failures: list[Failure] = []
        self.started = 0
        self.outstanding = 0
        self._readers = 0
        self._told = False
        self._waiters = Waiters()

    @property
    def awaited(self) -> bool:
        """Whether somebody waits who will be told of failures."""
        return self._readers > 0

    def follow(self, earlier: Batch[R]) -> None:
        """Take over the failures of an earlier batch, unless somebody is just about to be told of them."""
        if earlier.failures and not earlier.awaited:
            self.failures = earlier.failures
            self.started = earlier.started

    def started_one(self) -> None:
        self.started += 1
        self.outstanding += 1

    def settled_one(self) -> None:
        self.outstanding -= 1
        if not self.outstanding:
            self._waiters.wake_all()

    async def finished(self) -> list[Failure]:
        """Wait until nothing is outstanding and return the failures.

        Everybody who waits at that moment is told; who comes later only if nobody was. Cancelled, it told nobody.
        """
        self._readers += 1
        try:
            while self.outstanding:
                await self._waiters.wait()
            self._told = True
            return self.failures
        finally:
            self._readers -= 1
            if self._told and not self._readers:
                # Errors keep frames alive, and frames everything else.
                self.failures = []

    def unheard(self) -> list[BaseException]:
        """The errors that nobody has been told of in any way so far; each is returned once."""
        errors = []
        for failure in self.failures:
            if not failure.reported:
                failure.reported = True
                errors.append(failure.error)
        return errors
