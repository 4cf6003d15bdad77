"""Items that were given up, and why.

The list may live as long as the service, so what lies in it must not hold on to the frames, and with them
to every local variable, of the handlers that failed.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from queue_processor.channel import Delivery

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeadLetter(Generic[T]):
    """One item that failed for good."""

    item: T
    error: Exception
    """The last error, without its traceback."""
    attempts: int
    """How often the handler raised."""
    number: int
    """The item's place in its input (of process_all) or in the order of acceptance, from 0."""
    trace: traceback.StackSummary
    """Where it was raised, as text without frames; ``"".join(letter.trace.format())`` shows it."""

    @property
    def reason(self) -> str:
        """The error in one line."""
        return f"{type(self.error).__name__}: {self.error}"


def bury(delivery: Delivery[Any], error: Exception) -> DeadLetter[Any]:
    """Make the dead letter of this delivery."""
    # Lines are looked up when somebody prints them: reading source files is no work for the event loop.
    trace = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    _drop_tracebacks(error)
    return DeadLetter(delivery.item, error, delivery.failures, delivery.number, trace)


def _drop_tracebacks(error: BaseException) -> None:
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        if (one := todo.pop()) is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        todo += (one.__cause__, one.__context__)
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions
