"""One consumer: it takes items, has them handled, and never loses the one in its hand."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from queue_processor.dead_letters import DeadLetter, bury
from queue_processor.errors import HandlerCancelled, Reject
from queue_processor.handling import handling_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_processor.channel import Channel, Delivery
    from queue_processor.gate import Gate
    from queue_processor.retry import Backoff

T = TypeVar("T")
R = TypeVar("R")

NOT_CALLED = object()
"""What a handler returned that has raised when it was called."""


@dataclass(frozen=True, slots=True)
class Work(Generic[T, R]):
    """What is to be done with each item, and who wants to know how it ended."""

    owner: object
    """The processor whose handler this is."""
    handle: Callable[[T], Awaitable[R]]
    attempts: int
    backoff: Backoff
    succeeded: Callable[[Delivery[T], R], None]
    failed: Callable[[DeadLetter[T]], None]
    """Told of each item that failed for good; what it raises ends the consumer."""


class Consumer(Generic[T, R]):
    """Takes items from a channel until the input ends, it is stopped, or it is cancelled.

    A cancelled consumer gives the item in its hand back to the channel.
    """

    def __init__(self, channel: Channel[T], work: Work[T, R], gate: Gate | None = None) -> None:
        self.stopping = False
        self.in_hand: Delivery[T] | None = None
        self._channel = channel
        self._work = work
        self._gate = gate
        self._admitted = gate is None
        self._task: asyncio.Task[Any] | None = None
        self._cancels_before = 0
        self._cancel_sent = False

    def stop(self) -> None:
        """Finish the item in hand and take no other. Whoever calls this interrupts the channel after it."""
        self.stopping = True

    def cancel(self) -> None:
        """Give the item in hand back now; run() then returns as if stopped, and its task is not cancelled."""
        self.stopping = True
        if self._task is not None and not self._cancel_sent:
            self._cancel_sent = True
            self._task.cancel()

    async def run(self) -> None:
        """Consume. Raises what `work.failed` raises, and TypeError for a handler that cannot be awaited."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for mypy: a coroutine that runs in asyncio has a task
        self._task = task
        self._cancels_before = task.cancelling()
        try:
            with handling_for(self._work.owner):
                await self._consume()
        except asyncio.CancelledError:
            if not self._cancel_sent or task.cancelling() > self._cancels_before + 1:
                raise
        finally:
            self._put_down()
            self._task = None
            if self._cancel_sent:
                task.uncancel()

    async def _consume(self) -> None:
        channel, handle, succeeded, gate = self._channel, self._work.handle, self._work.succeeded, self._gate
        called: Any = NOT_CALLED
        while not self.stopping:
            delivery = channel.take_nowait()
            if delivery is None:
                self._leave_gate()
                delivery = await channel.take(self)
                if delivery is None:
                    return
            self.in_hand = delivery
            if gate or not self._admitted:
                await self._pass_gate()
            try:
                called = handle(delivery.item)
                result = await called
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the item's outcome, whatever it is
                check_awaitable(called, handle)
                await self._insist(delivery, self._failure(error))
            else:
                succeeded(delivery, result)
                self.in_hand = None
                channel.ack()

    async def _insist(self, delivery: Delivery[T], error: Exception) -> None:
        """Try the item in hand again until it succeeds or is given up. With one consumer this keeps the order."""
        work = self._work
        while True:
            delivery.failures += 1
            if delivery.failures >= work.attempts or isinstance(error, Reject):
                self._give_up(delivery, error)
                return
            # Who waits handles nothing: another call may use the permit meanwhile.
            self._leave_gate()
            await asyncio.sleep(work.backoff.seconds(delivery.failures))
            await self._pass_gate()
            try:
                result = await work.handle(delivery.item)
            except (Exception, asyncio.CancelledError) as again:  # noqa: BLE001 - as above
                error = self._failure(again)
            else:
                work.succeeded(delivery, result)
                self._done()
                return

    def _failure(self, error: BaseException) -> Exception:
        """The error as the item's failure; of a consumer that is cancelled it is none, whatever it looks like."""
        if self._task is not None and self._task.cancelling() > self._cancels_before:
            raise asyncio.CancelledError from error
        if isinstance(error, Exception):
            return error
        failure = HandlerCancelled(
            "the handler awaited something that had been cancelled, and let that pass for its own"
        )
        failure.__cause__ = error
        return failure

    def _give_up(self, delivery: Delivery[T], error: Exception) -> None:
        self._done()
        self._work.failed(bury(delivery, error))

    def _done(self) -> None:
        self.in_hand = None
        self._channel.ack()

    def _put_down(self) -> None:
        if self.in_hand is not None:
            self._channel.nack(self.in_hand)
            self.in_hand = None
        self._leave_gate()

    # ------------------------------------------------------------ the gate

    async def _pass_gate(self) -> None:
        """Get a permit, or let the others that wait for one have theirs first."""
        self._leave_gate()
        if self._gate is not None:
            await self._gate.enter()
            self._admitted = True

    def _leave_gate(self) -> None:
        if self._gate is not None and self._admitted:
            self._admitted = False
            self._gate.leave()


def check_awaitable(called: object, handle: Callable[..., object]) -> None:
    """Raise TypeError, and tell how to mend it, if what a handler returned cannot be awaited."""
    if called is not NOT_CALLED and not inspect.isawaitable(called):
        name = getattr(handle, "__qualname__", repr(handle))
        raise TypeError(
            f"the handler {name} returned {type(called).__name__}, which cannot be awaited; make it `async def` "
            "(or call blocking code through asyncio.to_thread)"
        ) from None


def check_handler(handler: object) -> None:
    """Refuse what can be no handler before there is any item to lose."""
    if handler is None or (callable(handler) and not inspect.isasyncgenfunction(handler)):
        return
    raise TypeError(f"handler={handler!r} must be an `async def` function (or return an awaitable) that takes one item")
