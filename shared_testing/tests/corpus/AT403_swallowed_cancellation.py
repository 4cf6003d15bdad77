"""Tasks that were cancelled and went on, and tasks that end as they should."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import pytest_asyncio


async def lookup() -> str | None:
    try:
        await asyncio.sleep(3600)
        return "value"
    except asyncio.CancelledError:  # !! AT403
        return None


async def test_a_timeout_that_is_ignored() -> None:
    async with asyncio.timeout(0.01):
        assert await lookup() is None


async def test_a_timeout_that_is_ignored_by_a_bare_except() -> None:
    async def read() -> str:
        try:
            await asyncio.sleep(3600)
        except:  # !! AT403
            return "nothing"
        return "something"

    async with asyncio.timeout(0.01):
        assert await read() == "nothing"


async def test_a_timeout_that_is_ignored_by_a_return_in_finally() -> None:
    async def read() -> int:
        done = 0
        try:
            await asyncio.sleep(3600)
            done = 1
        finally:
            return done  # !! AT403

    async with asyncio.timeout(0.01):
        assert await read() == 0


async def test_a_timeout_that_is_suppressed() -> None:
    async def read() -> None:
        with contextlib.suppress(BaseException):  # !! AT403
            await asyncio.sleep(3600)

    async with asyncio.timeout(0.01):
        await read()


async def answer() -> str:
    try:
        await asyncio.sleep(3600)
    except BaseException:  # !! AT403
        pass
    return "late"


async def test_wait_for_that_gets_a_result_too_late() -> None:
    assert await asyncio.wait_for(answer(), 0.01) == "late"


class Worker:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()

    async def run(self) -> None:
        while True:
            try:
                await self.queue.get()
            except asyncio.CancelledError:  # !! AT403
                continue


async def test_a_worker_that_cannot_be_stopped() -> None:
    task = asyncio.create_task(Worker().run())
    await asyncio.sleep(0.001)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def poll() -> None:
    while True:
        try:
            await asyncio.sleep(0.01)
        except BaseException as error:  # !! AT403
            print("ignored", error)


async def test_a_poller_that_nobody_can_wait_for() -> None:
    task = asyncio.create_task(poll())
    await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_poller_that_its_test_leaves_to_the_end() -> None:
    asyncio.create_task(refresh()).cancel()
    task = asyncio.create_task(refresh())
    await asyncio.sleep(0.001)
    task.cancel()


async def refresh() -> None:
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:  # !! AT403
            pass


async def guarded(step: object) -> object:
    try:
        return await step
    except (OSError, asyncio.CancelledError):  # !! AT403
        return None


async def test_a_helper_that_keeps_it_from_the_task() -> None:
    done = []

    async def work() -> None:
        done.append(await guarded(asyncio.sleep(3600)))
        done.append("the rest")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    assert done == [None, "the rest"]


@pytest_asyncio.fixture
async def poller() -> object:
    async def watch() -> None:
        while True:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:  # !! AT403
                await asyncio.sleep(0)

    task = asyncio.create_task(watch())
    yield task
    task.cancel()
    await asyncio.wait([task])


async def test_a_fixture_that_cannot_stop_its_task(poller: object) -> None:
    await asyncio.sleep(0.001)


# ---------------------------------------------------------------- fine


async def test_clean_up_and_raise_is_fine() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
            raise

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await work()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work(), 0.01)


async def test_a_worker_that_ends_quietly_is_fine() -> None:
    async def work() -> None:
        try:
            while True:
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            pass

    task = asyncio.create_task(work())
    await asyncio.sleep(0.005)
    task.cancel()
    await task


async def test_a_worker_that_flushes_at_the_end_is_fine() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
        await asyncio.sleep(0.001)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.001)
    task.cancel()
    await task


async def test_a_task_that_only_hands_on_is_fine() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("stopped")

    async def run() -> None:
        await work()

    task = asyncio.create_task(run())
    await asyncio.sleep(0.001)
    task.cancel()
    await task


async def test_a_supervisor_that_stops_its_child_is_fine() -> None:
    async def supervise() -> str:
        child = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0.001)
        child.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await child
        try:
            await child
        except asyncio.CancelledError:
            pass
        return "ok"

    async with asyncio.timeout(10):
        assert await supervise() == "ok"


async def test_a_job_that_is_stopped_in_a_call_with_a_timeout_is_fine() -> None:
    async def job() -> None:
        try:
            await asyncio.wait_for(asyncio.sleep(3600), 10)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    task = asyncio.create_task(job())
    await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])


async def test_timeouts_in_a_loop_are_fine() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    for _ in range(3):
        try:
            async with asyncio.timeout(0.001):
                await queue.get()
        except (TimeoutError, asyncio.CancelledError):
            continue
        try:
            await asyncio.wait_for(queue.get(), 0.001)
        except (TimeoutError, asyncio.CancelledError):
            continue


async def test_a_timeout_beside_a_task_group_is_fine() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))


async def test_a_group_that_fails_is_fine() -> None:
    async def fail() -> None:
        raise OSError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))
            group.create_task(fail())


async def test_a_cancellation_that_is_taken_back_is_fine() -> None:
    async def work() -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        return "again"

    task = asyncio.create_task(work())
    await asyncio.sleep(0.001)
    task.cancel()
    assert await task == "again"


async def test_a_result_that_is_ready_in_time_is_fine() -> None:
    future = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(asyncio.wait_for(future, 10))
    await asyncio.sleep(0.001)
    future.set_result("ready")
    assert await task == "ready"
    assert not task.cancel()


async def test_a_shield_that_outlasts_a_cancellation_is_fine() -> None:
    async def commit() -> None:
        inner = asyncio.create_task(asyncio.sleep(0.005))
        cancelled = False
        while not inner.done():
            try:
                await asyncio.shield(inner)
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError

    task = asyncio.create_task(commit())
    await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def stubborn() -> None:
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:  # !! AT403
            pass


class TestOnOneLoop:
    """The loop ends after the second test, and cancels what is left once more: that is no finding of the second's."""

    pytestmark = pytest.mark.asyncio(loop_scope="class")

    async def test_a_task_that_cannot_be_ended(self) -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task], timeout=0.02)

    async def test_the_next_one_is_fine(self) -> None:
        await asyncio.sleep(0)
