"""Tests of queue_engine.py and worker.py: calls go out by a queue, and what came of them comes back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import MemoryQueue
from task_queue import (
    AsyncTaskQueue,
    NotSentError,
    QueueEngine,
    RemoteTaskError,
    RetryPolicy,
    Status,
    TaskLostError,
    TaskTimeoutError,
    TaskWorker,
    task,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.virtual_time


class OwnError(Exception):
    """Of the user's making: the caller may not have it."""


@task
async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


@task
async def wait(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "waited"


@task(name="failing")
async def fail_with(kind: str) -> None:
    await asyncio.sleep(0)
    raise {"own": OwnError("no"), "value": ValueError("no"), "key": KeyError("no")}[kind]


@task
async def give(what: str) -> object:
    await asyncio.sleep(0)
    return {"set": {1}, "large": "x" * 2_000_000, "pair": (1, 2), "nan": float("nan")}[what]


async def unregistered() -> None:
    """Not for workers."""


@asynccontextmanager
async def workers(queue: MemoryQueue, *tasks: Callable[..., Any], consumers: int = 4) -> AsyncIterator[None]:
    async with TaskWorker(queue, tasks or (double, wait, fail_with, give)).processor(consumers):
        yield


async def test_tasks_run_in_workers_and_results_come_in_order() -> None:
    """As they do without an engine."""
    queue = MemoryQueue()
    async with workers(queue):
        results = await AsyncTaskQueue(10, engine=QueueEngine(queue)).process_all(
            [(number, double, (number,), {}) for number in range(100)]
        )
    assert [result.result for result in results] == [2 * number for number in range(100)]
    assert await queue.counts() == (0, 0, 0)


async def test_calls_wait_for_a_worker() -> None:
    """A timeout is about running: what waits for a worker has not begun."""
    queue = MemoryQueue()
    engine = QueueEngine(queue)
    run = asyncio.create_task(AsyncTaskQueue(engine=engine, timeout=5).process_task("a", double, 4))
    await asyncio.sleep(3600)
    assert not run.done()
    async with workers(queue):
        assert (await run).result == 8
    assert repr(engine) == "<QueueEngine on <MemoryQueue: 0 waiting, 0 in flight, 0 dead>: 0 calls under way>"


async def test_what_takes_too_long_is_ended_in_the_worker() -> None:
    """And the caller gets the error that it would have got here."""
    queue = MemoryQueue()
    async with workers(queue):
        result = await AsyncTaskQueue(engine=QueueEngine(queue), timeout=5).process_task("a", wait, 60)
    assert (result.status, type(result.error)) == (Status.TIMED_OUT, TaskTimeoutError)
    assert result.duration == pytest.approx(5)


async def test_an_error_comes_back_by_name() -> None:
    """Python's own as they are; others as RemoteTaskError, with the worker's traceback."""
    queue = MemoryQueue()
    async with workers(queue):
        tasks: list[Any] = [(kind, fail_with, (kind,), {}) for kind in ("value", "own", "key")]
        value, own, key = await AsyncTaskQueue(engine=QueueEngine(queue)).process_all(tasks)
    assert repr(value.error) == "ValueError('no')"
    assert isinstance(own.error, RemoteTaskError)
    assert own.error.kind.endswith("OwnError")
    assert isinstance(key.error, KeyError)
    assert 'OwnError("no")' in own.error_text
    assert {each.status for each in (value, own, key)} == {Status.FAILED}


async def test_what_fails_is_tried_again_as_the_callers_policy_says() -> None:
    """Each attempt is a call of its own, in whichever worker is free."""
    queue = MemoryQueue()
    retry = RetryPolicy(attempts=3, base=1, retry_on=(ValueError,))
    async with workers(queue):
        engine = QueueEngine(queue)
        value, own = await AsyncTaskQueue(engine=engine, retry=retry).process_all(
            [("value", fail_with, ("value",), {}), ("own", fail_with, ("own",), {})]
        )
        late = await AsyncTaskQueue(engine=engine, retry=retry, timeout=0.01).process_task("late", fail_with, "value")
    assert (value.attempts, own.attempts) == (3, 1)
    assert late.status is Status.TIMED_OUT


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ((unregistered,), "is no registered task"),
        ((double, {1, 2}), r"args\[0\] is of type set"),
        ((double, {"a": {1: 2}}), r"args\[0\]\['a'\] has the key 1"),
        ((double, float("inf")), r"args\[0\] is inf"),
        ((double, "x" * 2_000_000), "2,000,"),
    ],
)
async def test_what_cannot_be_sent_fails_by_itself(call: tuple[Any, ...], reason: str) -> None:
    """Before anything is put; the others go."""
    queue = MemoryQueue()
    async with workers(queue):
        bad, good = await AsyncTaskQueue(engine=QueueEngine(queue)).process_all(
            [("bad", call[0], call[1:], {}), ("good", double, (1,), {})]
        )
    assert isinstance(bad.error, NotSentError)
    with pytest.raises(NotSentError, match=reason):
        raise bad.error
    assert bad.attempts == 0
    assert good.result == 2


@pytest.mark.parametrize(
    ("what", "reason"),
    [("set", "its result is of type set"), ("large", "of at most 1,000,000"), ("nan", "its result is nan")],
)
async def test_a_result_that_cannot_come_back_is_a_failure(what: str, reason: str) -> None:
    queue = MemoryQueue()
    async with workers(queue):
        result = await AsyncTaskQueue(engine=QueueEngine(queue)).process_task("a", give, what)
    assert isinstance(result.error, RemoteTaskError)
    assert reason in str(result.error)


async def test_a_tuple_comes_back_as_a_list() -> None:
    queue = MemoryQueue()
    async with workers(queue):
        result = await AsyncTaskQueue(engine=QueueEngine(queue)).process_task("a", give, "pair")
    assert result.result == [1, 2]


async def test_a_task_that_the_worker_does_not_have_is_refused_there() -> None:
    """The caller hears which tasks it has."""
    queue = MemoryQueue()
    async with workers(queue, double):
        result = await AsyncTaskQueue(engine=QueueEngine(queue)).process_task("a", wait, 1)
    assert isinstance(result.error, RemoteTaskError)
    assert "it has" in str(result.error)
    assert "double" in str(result.error)


async def test_a_cancelled_call_takes_back_what_nobody_has_begun() -> None:
    """What a worker has begun runs to its end there; nobody waits for it."""
    queue = MemoryQueue()
    run = asyncio.create_task(
        AsyncTaskQueue(10, engine=QueueEngine(queue)).process_all([(n, wait, (60,), {}) for n in range(10)])
    )
    await asyncio.sleep(1)
    assert (await queue.counts()).waiting == 10
    run.cancel()
    await asyncio.wait([run])
    assert run.cancelled()
    assert await queue.counts() == (0, 0, 0)


async def test_a_stream_that_is_left_leaves_nothing_behind() -> None:
    queue = MemoryQueue()
    async with workers(queue, consumers=1):
        tasks: list[Any] = [(0, double, (0,), {}), *((n, wait, (60,), {}) for n in range(1, 5))]
        async with aclosing(AsyncTaskQueue(3, engine=QueueEngine(queue)).stream(tasks)) as results:
            async for result in results:
                assert result.result == 0
                break
    assert (await queue.counts()).waiting == 0


async def test_a_task_whose_workers_die_is_lost_and_says_so() -> None:
    """The queue gives it up after so many deliveries; the caller does not wait for ever."""
    queue = MemoryQueue(lease=10, max_deliveries=2)
    run = asyncio.create_task(AsyncTaskQueue(engine=QueueEngine(queue)).process_task("a", double, 1))
    for _ in range(2):
        assert len(await queue.get_batch(1)) == 1
    result = await run
    assert isinstance(result.error, TaskLostError)
    assert "2 deliveries" in str(result.error)


async def test_a_worker_that_is_stopped_gives_its_call_back() -> None:
    """Another one runs it."""
    queue = MemoryQueue()
    run = asyncio.create_task(AsyncTaskQueue(engine=QueueEngine(queue)).process_task("a", wait, 60))
    first = TaskWorker(queue, [wait]).processor(grace=1.0)
    async with first:
        await asyncio.sleep(1)
        await first.shutdown(drain=0)
    async with workers(queue):
        assert (await run).result == "waited"


async def test_what_is_no_call_is_a_dead_letter() -> None:
    """With the reason, for whoever put it there; also one of a release to come."""
    queue = MemoryQueue()
    await queue.put_many([b"hello", b'{"v": 2}', b'{"v": 1}'])
    async with workers(queue):
        await asyncio.sleep(60)
    reasons = [letter.reason for letter in await queue.dead_letters()]
    assert ["this is no call" in reasons[0], "of version 2" in reasons[1], "it has no 'id'" in reasons[2]] == [True] * 3


def test_a_worker_runs_only_what_says_so() -> None:
    with pytest.raises(ValueError, match="is no task; write @task above it"):
        TaskWorker(MemoryQueue(), [unregistered])
    with pytest.raises(ValueError, match="two tasks are called"):
        TaskWorker(MemoryQueue(), [double, task(name=f"{__name__}:double")(_another)])
    with pytest.raises(TypeError, match="for async functions"):
        task(len)


async def _another() -> None:
    """Of another's name."""


def test_threads_are_not_for_engines() -> None:
    with pytest.raises(TypeError, match="threads=True"):
        AsyncTaskQueue(threads=True, engine=QueueEngine(MemoryQueue()))
