from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from task_queue import AsyncTaskQueue, Progress

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock

Numbered = Callable[..., list[Any]]


async def test_progress_counts_every_task(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """The callback is told after each task what is done, failed, running, and how many there are."""
    told: list[Progress] = []
    source: Any = [
        ("a", tasks.slow(1), (), {}),
        ("b", tasks.failing(ValueError, 2), (), {}),
        ("c", tasks.slow(5), (), {}),
    ]
    await AsyncTaskQueue(2, progress=told.append).process_all(source)
    assert told == [
        Progress(done=1, failed=0, running=1, total=3),
        Progress(done=2, failed=1, running=1, total=3),
        Progress(done=3, failed=1, running=0, total=3),
    ]


async def test_the_total_of_a_generator_is_unknown(tasks: TaskBuilders, numbered: Numbered) -> None:
    """A stream reports as well; what is not known is None, not a guess."""
    told: list[Progress] = []
    queue = AsyncTaskQueue(progress=told.append)
    assert len([result async for result in queue.stream(iter(numbered(3, tasks.slow(0))))]) == 3
    assert [(progress.done, progress.total) for progress in told] == [(1, None), (2, None), (3, None)]


async def test_waiting_for_a_place_is_not_running(
    virtual_clock: VirtualClock, tasks: TaskBuilders, numbered: Numbered
) -> None:
    """A task that waits for another call's tasks does not count as running."""
    told: list[Progress] = []
    queue = AsyncTaskQueue(2, progress=told.append)
    await asyncio.gather(*(queue.process_all(numbered(4, tasks.slow(1))) for _ in range(2)))
    assert max(progress.running for progress in told) <= 2


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, asyncio.CancelledError])
async def test_a_broken_callback_ends_the_run(
    error: type[BaseException], tasks: TaskBuilders, numbered: Numbered
) -> None:
    """What the callback raises is raised by the call, after the tasks have ended, with a note; results are kept."""

    def broken(_: Progress) -> None:
        raise error

    never = tasks.never()
    queue = AsyncTaskQueue(2, progress=broken)
    with pytest.raises(RuntimeError if error is asyncio.CancelledError else error) as caught:
        await queue.process_all([("a", tasks.slow(0), (), {}), *numbered(3, never)])
    raised = caught.value.__cause__ or caught.value
    assert "progress callback" in raised.__notes__[0]
    assert never.running == 0
    assert queue.results[0].task_id == "a"


@pytest.mark.parametrize("wrong", [5, asyncio.sleep])
def test_a_callback_that_cannot_be_called_is_refused(wrong: Any) -> None:
    """An async callback would never be awaited: it is refused at once."""
    with pytest.raises(TypeError, match="progress"):
        AsyncTaskQueue(progress=wrong)
