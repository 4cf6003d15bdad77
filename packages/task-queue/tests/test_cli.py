"""Tests of cli.py: a worker as a process of its own, on a queue in a file."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import SQLiteQueue
from task_queue import AsyncTaskQueue, QueueEngine, task

if TYPE_CHECKING:
    from pathlib import Path

    from shared_testing.builders.processes import Processes

TASKS = """
import asyncio
from task_queue import task

@task(name="double")
async def double(number):
    await asyncio.sleep(0)
    return 2 * number
"""


@task(name="double")
async def double(number: int) -> int:
    """Run by the worker, by its name; this one never is."""
    raise NotImplementedError(number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text(TASKS)
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "broken.py").write_text("1 / 0")
    return tmp_path


async def test_a_worker_runs_what_is_put_into_its_queue(processes: Processes, folder: Path) -> None:
    """Until SIGTERM, which is no failure."""
    command = ["python", "-m", "task_queue", "worker", "--queue", "sqlite:jobs.db", "--tasks", "jobs"]
    worker = await processes.start(*command, "--consumers", "4", cwd=folder)
    async with SQLiteQueue(folder / "jobs.db") as queue:
        tasks: list[Any] = [(number, double, (number,), {}) for number in range(50)]
        results = await AsyncTaskQueue(10, engine=QueueEngine(queue)).process_all(tasks)
        assert [result.result for result in results] == [2 * number for number in range(50)]
        worker.send_signal(signal.SIGTERM)
        _, errors = await worker.communicate()
        assert (worker.returncode, await queue.counts()) == (0, (0, 0, 0)), errors.decode()
    assert "50 done" in errors.decode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--queue", "sqlite:jobs.db", "--tasks", "nowhere"), "No module named 'nowhere'"),
        (("--queue", "sqlite:jobs.db", "--tasks", "broken"), "--tasks: ZeroDivisionError"),
        (("--queue", "sqlite:jobs.db", "--tasks", "empty"), "empty has no tasks; write @task above"),
        (("--queue", "amqp://host", "--tasks", "jobs"), "amqp: is the URL of no queue that is known"),
        (("--queue", "sqlite:jobs.py", "--tasks", "jobs"), "jobs.py"),
    ],
)
async def test_what_cannot_begin_says_so_in_one_line(
    processes: Processes, folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    worker = await processes.start("python", "-m", "task_queue", "worker", *arguments, cwd=folder)
    printed, errors = await worker.communicate()
    assert (worker.returncode, printed) == (2, b""), errors.decode()
    assert said in errors.decode()
    assert errors.count(b"\n") == 1
