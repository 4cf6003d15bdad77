"""One consumer, and the item in its hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import Backoff, HandlerCancelled, QueueProcessor, Reject
from queue_processor.channel import Channel, Delivery
from queue_processor.consumers import Consumer, Work, check_handler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import TaskBuilders, VirtualClock


class Bench:
    """A consumer on a channel of its own, and what came of it."""

    def __init__(self, handle: Callable[[Any], Awaitable[Any]], attempts: int = 3) -> None:
        self.channel: Channel[Any] = Channel(10)
        self.done: list[Any] = []
        self.dead: list[Any] = []
        work = Work(self, handle, attempts, Backoff(first=0), self._succeeded, self.dead.append)
        self.consumer: Consumer[Any, Any] = Consumer(self.channel, work)

    def _succeeded(self, delivery: Delivery[Any], result: Any) -> None:
        self.done.append(result)


async def test_an_item_is_tried_again_until_it_succeeds(tasks: TaskBuilders) -> None:
    """Two failures cost two more attempts, and are no dead letter."""
    handle = tasks.flaky(2, ValueError("not yet"), "done")
    bench = Bench(handle)
    bench.channel.push("x")
    bench.channel.close()
    await bench.consumer.run()
    assert (bench.done, bench.dead, handle.calls) == (["done"], [], 3)
    assert bench.channel.unfinished == 0


async def test_the_wait_before_a_retry_is_the_backoffs(tasks: TaskBuilders, virtual_clock: VirtualClock) -> None:
    """With full jitter the waits are random, within their bounds, and pass on the loop's clock."""
    processor = QueueProcessor(tasks.failing(ValueError("no")), attempts=4, backoff=Backoff(first=8))
    await processor.process_all(["x"])
    assert 0 < virtual_clock.now < 8 + 16 + 32


async def test_a_rejected_item_is_not_tried_again(tasks: TaskBuilders) -> None:
    """Reject says that trying again is useless."""
    handle = tasks.failing(Reject("no such user"))
    bench = Bench(handle, attempts=5)
    bench.channel.push("x")
    bench.channel.close()
    await bench.consumer.run()
    assert handle.calls == 1
    assert bench.dead[0].reason == "Reject: no such user"


async def test_a_cancellation_that_nobody_asked_for_is_the_items_failure() -> None:
    """A handler that awaits something cancelled does not take its consumer down with it."""

    async def handle(item: str) -> str:
        if item == "bad":
            gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            gone.cancel()
            await gone
        return item

    bench = Bench(handle)
    for item in ("bad", "good"):
        bench.channel.push(item)
    bench.channel.close()
    await bench.consumer.run()
    assert bench.done == ["good"]
    assert isinstance(bench.dead[0].error, HandlerCancelled)
    assert bench.dead[0].attempts == 3


async def test_cancel_hands_the_item_back_and_spares_the_task(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]]
) -> None:
    """Cancelled by its processor, run() returns as if stopped; the task goes on and is not marked as cancelled."""
    bench = Bench(tasks.never())
    bench.channel.push("x")

    async def user_task() -> int:
        await bench.consumer.run()
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)
        return task.cancelling()

    task = asyncio.create_task(user_task())
    await settle()
    bench.consumer.cancel()
    assert await task == 0
    assert [delivery.item for delivery in bench.channel.waiting] == ["x"]


async def test_a_consumer_cancelled_by_both_sides_ends_cancelled(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]]
) -> None:
    """The processor's own cancellation does not swallow the user's."""
    bench = Bench(tasks.never())
    bench.channel.push("x")
    task = asyncio.create_task(bench.consumer.run())
    await settle()
    bench.consumer.cancel()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert bench.channel.waiting[0].handed_back == 1


async def test_a_cancelled_item_is_handed_back_even_if_its_handler_turns_that_into_an_error(
    settle: Callable[[], Awaitable[None]],
) -> None:
    """A cleanup that raises is no failure of the item, and does not keep a cancelled consumer retrying."""

    async def handle(item: str) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            raise ValueError("the cleanup failed") from None

    bench = Bench(handle)
    bench.channel.push("x")
    task = asyncio.create_task(bench.consumer.run())
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    (delivery,) = bench.channel.waiting
    assert (delivery.item, delivery.failures, delivery.handed_back) == ("x", 0, 1)


async def test_failures_are_remembered_across_a_hand_back(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]]
) -> None:
    """An item handed back amid its retries does not start counting anew."""
    failed = asyncio.Event()

    async def handle(item: str) -> None:
        if failed.is_set():
            await asyncio.get_running_loop().create_future()
        failed.set()
        raise ValueError("once")

    bench = Bench(handle)
    bench.channel.push("x")
    task = asyncio.create_task(bench.consumer.run())
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert bench.channel.waiting[0].failures == 1


async def test_an_error_that_is_no_exception_ends_the_consumer_and_loses_nothing(tasks: TaskBuilders) -> None:
    """What only a BaseException can say goes up; the item goes back."""

    class Halt(BaseException):
        pass

    bench = Bench(tasks.failing(Halt))
    bench.channel.push("x")
    with pytest.raises(Halt):
        await bench.consumer.run()
    assert [delivery.item for delivery in bench.channel.waiting] == ["x"]


async def test_a_handler_that_is_not_async_is_named_at_its_first_call() -> None:
    """A plain function is a mistake in the program: its side effect is not repeated for each retry and item."""
    calls = []

    def handle(item: str) -> Any:
        calls.append(item)
        return item

    with pytest.raises(TypeError, match="handle returned str, which cannot be awaited; make it `async def`"):
        await QueueProcessor(handle).process_all(["x", "y"])
    assert calls == ["x"]


async def test_a_lambda_that_returns_a_coroutine_is_a_handler(tasks: TaskBuilders) -> None:
    """What counts is that the result can be awaited; an error of the call itself is the item's."""
    work = tasks.slow(0, "done")
    processor: QueueProcessor[int, Any] = QueueProcessor(lambda item: work(1 // item), backoff=Backoff(first=0))
    assert await processor.process_all([0, 1]) == ["done"]
    assert processor.dead_letters[0].reason.startswith("ZeroDivisionError")


@pytest.mark.parametrize("handler", [5, "name"])
def test_what_can_be_no_handler_is_refused_at_once(handler: Any) -> None:
    """Before there is an item to lose."""
    with pytest.raises(TypeError, match="must be an `async def` function"):
        check_handler(handler)


def test_an_async_generator_is_no_handler() -> None:
    """It would never run."""

    async def generate(item: int) -> Any:
        yield item

    with pytest.raises(TypeError, match="must be an `async def` function"):
        check_handler(generate)
