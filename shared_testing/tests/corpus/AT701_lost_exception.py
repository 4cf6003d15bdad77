"""Failures where nobody looks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import logging.handlers
import unittest
from collections.abc import AsyncIterator, Coroutine

import pytest
import pytest_asyncio


class Cache:
    async def refresh(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("backend said no")  # !! AT701

    def start(self) -> None:
        self.task = asyncio.create_task(self.refresh())


async def test_a_task_that_is_kept() -> None:
    cache = Cache()
    cache.start()
    await asyncio.sleep(0.01)


async def test_a_task_that_nobody_keeps() -> None:
    async def work() -> None:
        raise KeyError("lost")  # !! AT701

    asyncio.create_task(work())
    await asyncio.sleep(0.01)


KEPT: list[object] = []


async def test_a_task_that_a_module_keeps() -> None:
    async def work() -> None:
        raise KeyError("kept")  # !! AT701

    KEPT.append(asyncio.create_task(work()))
    await asyncio.sleep(0.01)


async def test_an_assertion_in_a_task() -> None:
    async def work() -> None:
        assert False  # !! AT701

    task = asyncio.create_task(work())
    await asyncio.wait([task])


async def test_a_done_callback_that_does_not_look() -> None:
    async def work() -> None:
        raise KeyError("seen by nobody")  # !! AT701

    tasks = set()
    task = asyncio.create_task(work())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    await asyncio.sleep(0.01)


async def test_an_innocent_one_after_them() -> None:
    assert [[number] for number in range(10_000)]


async def test_a_callback() -> None:
    def tick() -> None:
        raise KeyError("bad tick")  # !! AT701

    asyncio.get_running_loop().call_soon(tick)
    await asyncio.sleep(0.001)


async def test_a_timer() -> None:
    def tick() -> None:
        raise KeyError("bad tick")  # !! AT701

    asyncio.get_running_loop().call_later(0.001, tick)
    await asyncio.sleep(0.01)


async def test_a_done_callback() -> None:
    def done(task: object) -> None:
        raise KeyError("bad callback")  # !! AT701

    task = asyncio.create_task(asyncio.sleep(0))
    task.add_done_callback(done)
    await task
    await asyncio.sleep(0)


class Protocol(asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        raise ValueError("bad data")  # !! AT701


async def test_a_protocol() -> None:
    server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    _, writer = await asyncio.open_connection(host, port)
    writer.write(b"x")
    await asyncio.sleep(0.05)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_a_handler_of_a_stream() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            raise ValueError("bad request")  # !! AT701
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await asyncio.sleep(0.05)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_the_result_of_a_thread() -> None:
    def work() -> None:
        raise OSError("disk")  # !! AT701

    future = asyncio.get_running_loop().run_in_executor(None, work)
    await asyncio.wait([future])


def refused() -> asyncio.Future[None]:
    future = asyncio.get_running_loop().create_future()  # !! AT701
    future.set_exception(ValueError("lost"))
    return future


async def test_a_future() -> None:
    refused()


async def test_a_future_that_a_module_keeps() -> None:
    KEPT.append(refused())


async def test_a_future_that_got_what_was_raised() -> None:
    future = asyncio.get_running_loop().create_future()
    try:
        int("no number")  # !! AT701
    except ValueError as error:
        future.set_exception(error)


async def test_the_end_of_an_async_generator() -> None:
    async def numbers() -> object:
        try:
            yield 1
        finally:
            raise RuntimeError("no end")  # !! AT701

    generator = numbers()  # !! AT305
    await anext(generator)
    del generator
    await asyncio.sleep(0.01)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def journal() -> list[object]:
    return []


@pytest.mark.asyncio(loop_scope="module")
async def test_on_a_wider_loop(journal: list[object]) -> None:
    async def work() -> None:
        raise KeyError("wide")  # !! AT701

    journal.append(asyncio.create_task(work()))
    await asyncio.sleep(0.01)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_innocent_one_on_the_wider_loop(journal: list[object]) -> None:
    await asyncio.sleep(0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def worker() -> object:
    async def work() -> None:
        await asyncio.sleep(0)
        raise KeyError("the fixture looks")

    task = asyncio.create_task(work())
    yield task
    with contextlib.suppress(KeyError):
        await task


@pytest.mark.asyncio(loop_scope="module")
async def test_a_wide_fixture_that_looks_in_its_teardown_is_fine(worker: object) -> None:
    await asyncio.sleep(0.01)


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError


async def test_awaited_is_fine() -> None:
    task = asyncio.create_task(fail())
    with pytest.raises(ValueError):
        await task


async def test_asked_for_is_fine() -> None:
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    assert isinstance(task.exception(), ValueError)


async def test_gathered_is_fine() -> None:
    await asyncio.gather(fail(), fail(), return_exceptions=True)


async def test_a_group_is_fine() -> None:
    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(fail())


async def test_logged_by_a_done_callback_is_fine() -> None:
    task = asyncio.create_task(fail())
    task.add_done_callback(lambda done: logging.getLogger(__name__).info("failed", exc_info=done.exception()))
    await asyncio.sleep(0.01)


async def test_cancelled_is_fine() -> None:
    task = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)


async def test_a_handler_of_the_users_is_fine() -> None:
    seen: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
    loop.call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.001)
    assert isinstance(seen[0], ZeroDivisionError)


async def test_a_future_as_a_prop_of_the_test_is_fine() -> None:
    """The test plays the server to what it tests; nothing of the program has failed."""
    future = asyncio.get_running_loop().create_future()
    told: list[object] = []
    future.add_done_callback(told.append)
    future.set_exception(ConnectionResetError())
    await asyncio.sleep(0)
    assert told == [future]


async def test_a_test_that_reads_the_log_is_fine(caplog: pytest.LogCaptureFixture) -> None:
    task = asyncio.create_task(fail())
    await asyncio.sleep(0.001)
    del task
    gc.collect()
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.001)
    assert "Task exception was never retrieved" in caplog.text
    assert "Exception in callback" in caplog.text


async def test_a_test_that_asserts_on_the_log_is_fine() -> None:
    with unittest.TestCase().assertLogs("asyncio"):
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.001)


async def test_a_log_that_is_read_while_nothing_was_lost(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise KeyError("after the last look")  # !! AT701

    KEPT.append(asyncio.create_task(work()))
    await asyncio.sleep(0.001)
    assert caplog.text == ""


@pytest_asyncio.fixture
async def broken_off() -> object:
    stopped = asyncio.Event()

    async def work() -> None:
        await stopped.wait()
        raise KeyError("in the teardown")  # !! AT701

    yield asyncio.create_task(work()).get_name()
    stopped.set()
    await asyncio.sleep(0.001)


async def test_a_log_that_is_read_before_the_teardown(broken_off: str, caplog: pytest.LogCaptureFixture) -> None:
    assert broken_off not in caplog.text


async def test_a_handler_of_the_programs_hears_it_too() -> None:
    def tick() -> None:
        raise KeyError("bad tick")  # !! AT701

    heard = logging.handlers.BufferingHandler(100)
    logging.getLogger().addHandler(heard)
    try:
        asyncio.get_running_loop().call_soon(tick)
        await asyncio.sleep(0.001)
    finally:
        logging.getLogger().removeHandler(heard)
    assert [record.getMessage()[:21] for record in heard.buffer] == ["Exception in callback"]


async def test_a_programs_own_notice_is_fine() -> None:
    task = asyncio.create_task(fail())
    with pytest.raises(ValueError) as caught:
        await task
    asyncio.get_running_loop().call_exception_handler({"message": "an item failed", "exception": caught.value})


async def pages() -> AsyncIterator[int]:
    yield 1


async def torn() -> AsyncIterator[int]:
    raise ValueError("torn")  # !! AT701
    yield 1


async def test_the_next_item_that_failed() -> None:
    asyncio.ensure_future(torn().__anext__())
    await asyncio.sleep(0.001)


async def test_no_next_item_is_fine() -> None:
    async for _ in (items := pages()):
        """To the end."""
    asyncio.ensure_future(items.__anext__())
    await asyncio.sleep(0.001)


class Crew:
    """A group of the program's own, which hands the errors of its tasks to the loop's handler."""

    def start(self, work: Coroutine[object, object, object]) -> asyncio.Task[object]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[object]) -> None:
        if (error := task.exception()) is not None:
            context = {"message": f"{task!r} has errored out", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)


async def test_a_groups_own_notice_is_fine() -> None:
    await asyncio.wait([Crew().start(fail())])


@pytest_asyncio.fixture
async def watched() -> object:
    task = asyncio.create_task(fail())
    yield task
    with contextlib.suppress(ValueError):
        await task


async def test_seen_by_the_fixtures_teardown_is_fine(watched: object) -> None:
    await asyncio.sleep(0.01)
