"""BackgroundProcessor as its users meet it; the codes name what the first version of this class got wrong."""

# ruff: noqa: PT012 - leaving the block of `async with` is what raises
from __future__ import annotations

import asyncio
import contextvars
import gc
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import (
    BackgroundProcessor,
    CalledFromHandler,
    HandlerCancelled,
    ProcessorNotRunning,
    WrongEventLoop,
)
from shared_testing import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared_testing import TaskBuilders, VirtualClock


class Picky(BackgroundProcessor[str, str]):
    """Refuses what begins with "bad"."""

    async def process_item(self, item: str) -> str:
        await asyncio.sleep(0.01)
        if item.startswith("bad"):
            raise ValueError(item)
        return f"processed_{item}"


@pytest.fixture
def reports() -> list[dict[str, Any]]:
    """What the event loop's exception handler was told."""
    return []


def listen(reports: list[dict[str, Any]]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))


def messages(group: BaseExceptionGroup[Any]) -> list[str]:
    return [str(error) for error in group.exceptions]


async def test_nothing_is_kept_when_all_is_done(virtual_clock: VirtualClock) -> None:
    """No handle, no task, no item; results stay until the next work begins. (B1)"""

    class Item:
        def __str__(self) -> str:
            return "x"

    background: BackgroundProcessor[Any, str] = BackgroundProcessor()
    items = [Item() for _ in range(1000)]
    held = [weakref.ref(item) for item in items]
    for start in range(0, 1000, 10):
        background.start_processing(items[start : start + 10])
    assert len(background.tasks) == 1000
    await background.wait_for_completion()
    assert background.tasks == []
    assert len(background.results) == 1000
    items.clear()
    gc.collect()
    assert not any(reference() for reference in held)
    background.start_processing(["y"])
    assert background.results == []
    await background.wait_for_completion()
    assert background.results == ["processed_y"]


async def test_all_failures_are_raised_together_after_all_is_done(virtual_clock: VirtualClock) -> None:
    """And once: the next wait is not poisoned by them. (B2)"""
    background = Picky()
    handles = background.start_processing(["bad1", "ok", "bad2"])
    with pytest.raises(ExceptionGroup, match="2 of 3 items failed") as failures:
        await background.wait_for_completion()
    assert sorted(messages(failures.value)) == ["bad1", "bad2"]
    assert all(handle.done() for handle in handles)
    await background.wait_for_completion()
    background.start_processing(["fine"])
    await background.wait_for_completion()
    assert background.results == ["processed_fine"]


def test_outside_a_loop_it_says_so_and_leaves_no_coroutine_behind() -> None:
    """The error names the call and the way out; no "never awaited" follows. (B3)"""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ProcessorNotRunning, match=r"start_processing\(\).*call it from an async function"):
            BackgroundProcessor().start_processing(["x"])
        gc.collect()
    assert caught == []


async def test_a_failure_that_nobody_waits_for_is_reported(
    virtual_clock: VirtualClock, reports: list[dict[str, Any]]
) -> None:
    """To the loop's exception handler, when it happens; a later wait still raises it. (B4)"""
    listen(reports)
    background = Picky()
    background.start_processing(["bad"])
    await virtual_clock.advance(1)
    assert [str(report["exception"]) for report in reports] == ["bad"]
    assert "nobody waited" in reports[0]["message"]
    with pytest.raises(ExceptionGroup):
        await background.wait_for_completion()
    assert len(reports) == 1


async def test_a_failure_is_reported_when_the_wait_for_it_is_given_up(
    virtual_clock: VirtualClock, reports: list[dict[str, Any]]
) -> None:
    """Somebody was waiting when it happened, but has left before being told. (B4)"""
    listen(reports)

    async def work(item: str) -> None:
        if item == "bad":
            raise ValueError(item)
        await asyncio.sleep(10)

    background = BackgroundProcessor(work)
    background.start_processing(["bad", "slow"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await background.wait_for_completion()
    assert [str(report["exception"]) for report in reports] == ["bad"]
    with pytest.raises(ExceptionGroup):
        await background.wait_for_completion()


async def test_no_more_than_the_limit_are_in_work_and_the_others_cost_no_task(tasks: TaskBuilders) -> None:
    """5,000 items at once are a list, not 5,000 tasks. (B5)"""
    work = tasks.slow(0)
    background = BackgroundProcessor(work, max_concurrent=7)
    background.start_processing(range(5_000))
    assert len(asyncio.all_tasks()) == 1 + 7
    await background.wait_for_completion()
    assert (work.succeeded, work.peak) == (5_000, 7)


async def test_by_default_the_work_is_bounded_too() -> None:
    """A limit that one has to ask for protects nobody. (B5)"""
    background = BackgroundProcessor()
    handles = background.start_processing(range(20_000))
    assert len(asyncio.all_tasks()) - 1 <= 100
    for handle in handles:
        handle.cancel()
    await background.wait_for_completion()


async def test_a_timeout_of_the_wait_does_not_cancel_the_work(virtual_clock: VirtualClock) -> None:
    """It is the wait that has run out of time. (B7)"""
    background: BackgroundProcessor[Any, Any] = BackgroundProcessor()
    handles = background.start_processing(["a", "b"])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(background.wait_for_completion(), 0.03)
    assert not any(handle.cancelled() for handle in handles)
    await background.wait_for_completion()
    assert sorted(background.results) == ["processed_a", "processed_b"]


async def test_the_wait_covers_what_is_started_meanwhile(virtual_clock: VirtualClock) -> None:
    """Also what is started at the very moment when all else is done. (B8)"""
    background = Picky()
    (first,) = background.start_processing(["a"])
    waiting = asyncio.create_task(background.wait_for_completion())
    await settle()
    background.start_processing(["bad late"])
    await first
    (last,) = background.start_processing(["last"])
    with pytest.raises(ExceptionGroup) as failures:
        await waiting
    assert messages(failures.value) == ["bad late"]
    assert last.done()


async def test_wherever_a_wait_is_cancelled_no_failure_is_lost(
    turns: Callable[[int], Awaitable[None]], ledger: type[Any]
) -> None:
    """Cancelled after any number of turns, amid one batch or between two, it leaves its failures to the next wait."""
    for count in range(12):
        seen: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with BackgroundProcessor(ledger(steps=1, fail={1, 2})) as background:
            background.start_processing([1])
            waiting = asyncio.create_task(background.wait_for_completion())
            await turns(count // 2)
            background.start_processing([2])
            await turns(count % 2)
            waiting.cancel()
            for wait in (waiting, background.wait_for_completion()):
                try:
                    await wait
                except ExceptionGroup as failures:
                    seen += messages(failures)
                except asyncio.CancelledError:
                    seen += []
        assert seen == ["bad 1", "bad 2"], count


async def test_items_may_start_more_items(virtual_clock: VirtualClock) -> None:
    """The wait covers them, and the limit holds. (B8)"""

    async def split(size: int) -> int:
        await asyncio.sleep(1)
        if size > 1:
            background.start_processing([size // 2, size - size // 2])
        return size

    async with BackgroundProcessor(split, max_concurrent=2) as background:
        background.start_processing([8])
    assert sorted(background.results) == [1] * 8 + [2] * 4 + [4] * 2 + [8]


async def test_leaving_the_block_waits_and_raises_all_failures(
    virtual_clock: VirtualClock, reports: list[dict[str, Any]]
) -> None:
    """They are raised there, so they are not reported elsewhere. (B4)"""
    listen(reports)
    with pytest.raises(ExceptionGroup) as failures:
        async with Picky() as background:
            background.start_processing(["bad1", "ok"])
            await asyncio.sleep(1)
            background.start_processing(["bad2"])
    assert messages(failures.value) == ["bad1", "bad2"]
    assert reports == []
    with pytest.raises(ProcessorNotRunning, match="enter it again"):
        background.start_processing(["late"])


async def test_an_exception_in_the_block_cancels_the_work(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]]
) -> None:
    """Nothing is left running, and what waited is never started."""
    work = tasks.never()
    with pytest.raises(OSError, match="gone"):
        async with BackgroundProcessor(work, max_concurrent=2) as background:
            handles = background.start_processing(range(5))
            await settle()
            raise OSError("gone")
    assert (work.calls, work.cancelled) == (2, 2)
    assert all(handle.cancelled() for handle in handles)
    assert len(asyncio.all_tasks()) == 1
    await background.wait_for_completion()


async def test_wherever_leaving_is_cancelled_nothing_runs_on(
    ledger: type[Any], turns: Callable[[int], Awaitable[None]]
) -> None:
    """Cancelled after any number of turns, every item is done or cancelled, and no task is left."""
    for count in range(30):
        book, handles = ledger(), list[Any]()
        background = BackgroundProcessor(book, max_concurrent=2)

        async def use(background: Any = background, handles: list[Any] = handles) -> None:
            async with background:
                handles += background.start_processing(range(6))

        user = asyncio.create_task(use())
        await turns(count)
        user.cancel()
        await asyncio.wait([user])
        assert all(handle.done() for handle in handles)
        assert sorted(book.done) == [handle.item for handle in handles if not handle.cancelled()], count
        assert (len(asyncio.all_tasks()), background.tasks) == (1, [])
    assert not user.cancelled(), "the sweep did not reach the end"


async def test_a_cancellation_that_nobody_asked_for_is_the_items_failure() -> None:
    """An item that awaits something cancelled has failed, and the others go on."""

    async def work(item: str) -> str:
        if item == "bad":
            gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            gone.cancel()
            await gone
        return item

    background = BackgroundProcessor(work, max_concurrent=1)
    background.start_processing(["bad", "good"])
    with pytest.raises(ExceptionGroup) as failures:
        await background.wait_for_completion()
    assert isinstance(failures.value.exceptions[0], HandlerCancelled)
    assert background.results == ["good"]


async def test_when_somebody_cancels_an_items_task_the_waiting_ones_are_not_started(
    tasks: TaskBuilders, settle: Callable[[], Awaitable[None]]
) -> None:
    """As a loop does that is going down: what is started then would be left behind. The wait tells."""
    work = tasks.never()
    background = BackgroundProcessor(work, max_concurrent=1)
    handles = background.start_processing(range(3))
    await settle()
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}
    task.cancel()
    with pytest.raises(ExceptionGroup) as failures:
        await background.wait_for_completion()
    assert "2 waiting item(s) were not started" in str(failures.value.exceptions[0])
    assert all(handle.cancelled() for handle in handles)
    assert work.calls == 1


def test_a_loop_that_ends_amid_the_work_leaves_no_task_and_no_obstacle(ledger: type[Any]) -> None:
    """The same processor works in the next loop."""
    book = ledger()
    background = BackgroundProcessor(book, max_concurrent=2)

    async def abandon() -> None:
        background.start_processing(range(10))
        await asyncio.sleep(0)

    async def use() -> None:
        background.start_processing(["x"])
        await background.wait_for_completion()
        assert background.results == ["done_x"]

    for scenario in (abandon, use, use):
        asyncio.run(scenario())


def test_two_open_loops_at_once_are_refused(tasks: TaskBuilders) -> None:
    """While it is at work in one, another gets an error."""
    background = BackgroundProcessor(tasks.never())

    async def start() -> Any:
        return background.start_processing(["x"])

    with asyncio.Runner() as first:
        first.run(start())
        with pytest.raises(WrongEventLoop, match="one processor per event loop"):
            asyncio.run(start())


async def test_items_run_in_the_context_of_their_start(virtual_clock: VirtualClock) -> None:
    """Also when another's end makes room for them."""
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    background: BackgroundProcessor[int, str] = BackgroundProcessor(
        lambda _: asyncio.sleep(1, who.get()), max_concurrent=1
    )
    for name in ("one", "two"):
        who.set(name)
        background.start_processing([0])
    await background.wait_for_completion()
    assert background.results == ["one", "two"]


async def test_an_item_cannot_wait_for_all_items() -> None:
    """It would wait for itself: that is said, not hung on."""
    background: BackgroundProcessor[int, None] = BackgroundProcessor(lambda _: background.wait_for_completion())
    background.start_processing([1])
    with pytest.raises(ExceptionGroup) as failures:
        await background.wait_for_completion()
    assert isinstance(failures.value.exceptions[0], CalledFromHandler)


async def test_items_that_cannot_be_read_start_nothing() -> None:
    """All are accepted or none."""

    def items() -> Any:
        yield 1
        raise OSError("gone")

    background = BackgroundProcessor()
    with pytest.raises(OSError, match="gone"):
        background.start_processing(items())
    assert background.tasks == []
    assert repr(background) == "<BackgroundProcessor: 0 in work, 0 not done>"


async def test_it_is_entered_once() -> None:
    """A second time is an error, after leaving it is not."""
    background = BackgroundProcessor()
    async with background:
        with pytest.raises(ProcessorNotRunning, match="entered already"):
            await background.__aenter__()
    async with background:
        background.start_processing([])


def test_a_limit_that_lets_nothing_through_is_refused() -> None:
    """At once, not as a wait that never ends."""
    with pytest.raises(ValueError, match="max_concurrent=0"):
        BackgroundProcessor(max_concurrent=0)
