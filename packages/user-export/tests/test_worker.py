"""An export whose records are fetched by workers elsewhere."""

from __future__ import annotations

import json
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from queue_processor import MemoryQueue, SQLiteQueue
from shared_testing import FakeUsers
from shared_testing.contracts.user_api import GET_USER
from task_queue import QueueEngine, TaskWorker
from user_client import UserAPIClient
from user_export import Checkpoint, Exporter, ExportFailed, Summary
from user_export.cli import main
from user_export.pages import fetch_page, page_fetcher
from user_export.worker import main as worker_main

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from conftest import Command

    from file_handler import AsyncFileHandler


@asynccontextmanager
async def workers(queue: MemoryQueue, users: FakeUsers, number: int = 3) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(number):
            client = await stack.enter_async_context(UserAPIClient(users.url, timeout=60))
            await stack.enter_async_context(TaskWorker(queue, [page_fetcher(client)]).processor(2))
        yield


@pytest_asyncio.fixture
async def exporter(users: FakeUsers, handler: AsyncFileHandler, tmp_path: Path) -> AsyncIterator[Exporter]:
    async with UserAPIClient(users.url, timeout=60) as client:
        engine = QueueEngine(MemoryQueue())
        yield Exporter(client, handler, tmp_path / "users.jsonl", concurrency=5, page_size=40, engine=engine)


def queue_of(exporter: Exporter) -> MemoryQueue:
    queue = getattr(exporter.engine, "_queue", None)
    assert isinstance(queue, MemoryQueue)
    return queue


@pytest.mark.virtual_time
async def test_the_file_is_the_same_as_without_workers(
    users: FakeUsers, exporter: Exporter, handler: AsyncFileHandler, tmp_path: Path
) -> None:
    """However slow each record is, whoever fetches it; those who are gone are left out and counted."""
    users.populate(250)
    users.on(GET_USER).reply(404, times=1)
    users.on(GET_USER).delay(1, times=100)
    summary = Summary()
    async with workers(queue_of(exporter), users):
        await exporter.run(Checkpoint(), summary)
    alone = Exporter(exporter.client, handler, tmp_path / "alone.jsonl")
    await alone.run(Checkpoint(), Summary())
    lines = exporter.out.read_text("utf-8").splitlines()
    assert (len(lines), summary.written, summary.gone) == (249, 249, 1)
    missing = set(alone.out.read_text("utf-8").splitlines()) - set(lines)
    assert [line for line in alone.out.read_text("utf-8").splitlines() if line not in missing] == lines


@pytest.mark.virtual_time
async def test_what_no_worker_can_fetch_ends_the_export(users: FakeUsers, exporter: Exporter) -> None:
    """What came before is in the file."""
    users.populate(120)
    users.on(GET_USER).answer(times=60).reply(401, times=20)
    async with workers(queue_of(exporter), users, 1):
        with pytest.raises(ExportFailed, match="could not be fetched"):
            await exporter.run(Checkpoint(), Summary())


async def test_the_task_is_not_done_by_the_one_who_asks() -> None:
    with pytest.raises(NotImplementedError, match="user-export-worker"):
        await fetch_page([1])


async def test_commands_share_the_work_by_a_file(command: Command, tmp_path: Path) -> None:
    """Two workers, one export, and at the end nothing in the queue."""
    async with FakeUsers() as users:
        users.populate(300)
        url, out = f"sqlite://{tmp_path}/jobs.db", tmp_path / "users.jsonl"
        common = ("--base-url", users.url, "--queue", url)
        started = [await command.start(*common, module="user_export.worker") for _ in range(2)]
        code, printed, errors = await command.run(*common, "--out", out, "--page-size", 20)
        for worker in started:
            worker.send_signal(signal.SIGTERM)
        said = [await worker.communicate() for worker in started]
    assert (code, errors) == (0, ""), said
    assert printed.startswith("300 users are in")
    assert [json.loads(line)["id"] for line in out.read_text("utf-8").splitlines()] == list(range(1, 301))
    assert [worker.returncode for worker in started] == [0, 0], said
    async with SQLiteQueue(tmp_path / "jobs.db") as queue:
        assert await queue.counts() == (0, 0, 0)


@pytest.mark.parametrize("start", [main, worker_main], ids=["export", "worker"])
def test_a_url_of_no_queue_is_a_wrong_option(start: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(start)
    own = ["--out", str(tmp_path / "users.jsonl")] if start is main else []
    with pytest.raises(SystemExit) as ended:
        start(["--base-url", "http://localhost", "--queue", "amqp://me:secret@host", *own])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert "amqp: is the URL of no queue" in printed
    assert "secret" not in printed


async def test_a_worker_whose_queue_is_away_says_so(command: Command, tmp_path: Path) -> None:
    worker = await command.start(
        *("--base-url", "http://127.0.0.1:1", "--queue", f"sqlite://{tmp_path}/none/jobs.db"),
        module="user_export.worker",
    )
    _, errors = await worker.communicate()
    assert worker.returncode == 1
    assert "there is no folder" in errors.decode()
