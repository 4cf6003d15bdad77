"""What `hatch run chaos` finds: for each scenario a worker that is wrong in just that respect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import chaos
import pytest

from shared_testing.builders.redis_server import find_program

# They share what takes long.
pytestmark = pytest.mark.slow

SCRIPT = Path(chaos.__file__)

_WORKER = "from queue_processor import cli\n{}\nraise SystemExit(cli.main())\n"

WRONG = {
    "kill": """
from queue_processor import SQLiteQueue
take = SQLiteQueue.get_batch

async def acknowledged_before_it_is_done(self, *arguments):
    batch = await take(self, *arguments)
    await self.ack(*batch)
    return batch

SQLiteQueue.get_batch = acknowledged_before_it_is_done
""",
    "term": """
from queue_processor import serving
serving._Signals.listen = lambda self: None
""",
    "poison": """
from queue_processor.queues import message_queue, sqlite_messages
message_queue.DEATHS_TO_QUARANTINE = sqlite_messages.DEATHS_TO_QUARANTINE = 99
""",
    "long": """
import asyncio
from queue_processor.leases import Leases

async def never_renewed(self):
    await asyncio.Event().wait()

Leases.keep = never_renewed
""",
    "clock": """
import time
from types import SimpleNamespace
from queue_processor.queues import sqlite_messages
sqlite_messages.time = SimpleNamespace(monotonic=lambda: time.time())
""",
    "server": """
from queue_processor.outages import Outages

async def given_up_at_once(self, call, *arguments):
    return await call(*arguments)

Outages.outlast = given_up_at_once
""",
}
WRONG["cut"] = WRONG["server"]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What chaos says of the wrong workers; all at the same time, as for the most part it waits."""
    folder = tmp_path_factory.mktemp("workers")
    environment = os.environ | {"PYTHONPATH": str(folder)}
    runs = {}
    for name, fault in WRONG.items():
        engine = chaos.SCENARIOS[name].engines[-1]
        if engine == "redis" and not find_program():
            continue
        (folder / f"wrong_{name}.py").write_text(_WORKER.format(fault))
        command = [sys.executable, str(SCRIPT), name, "--engine", engine, "--quick", "--rounds", "1", "--seed", "1"]
        command += ["--worker", f"wrong_{name}"]
        runs[name] = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    said = {name: run.communicate(timeout=120)[0] for name, run in runs.items()}
    assert {name: run.returncode for name, run in runs.items()} == dict.fromkeys(runs, 1)
    return said


def said(verdicts: dict[str, str], name: str) -> str:
    if name not in verdicts:
        assert not os.environ.get("CI"), "the servers of CI are there"
        pytest.skip("no redis-server or valkey-server is installed")
    return verdicts[name].partition("  FAILED: ")[2]


def test_each_scenario_can_fail() -> None:
    """One that cannot shows nothing."""
    assert WRONG.keys() == chaos.SCENARIOS.keys()


def test_a_worker_that_acknowledges_before_it_works_loses_what_it_was_at(verdicts: dict[str, str]) -> None:
    """The queue has forgotten it by then."""
    assert " not done, such as number " in said(verdicts, "kill")
    assert "the queue still has" not in said(verdicts, "kill")


def test_a_worker_that_does_not_drain_is_found_by_its_exit_code_and_what_it_cut_off(
    verdicts: dict[str, str],
) -> None:
    """Without a signal handler, SIGTERM ends it amid work."""
    assert " cut off; exit code -15; " in said(verdicts, "term")


def test_without_quarantine_the_poison_takes_good_ones_with_it(verdicts: dict[str, str]) -> None:
    """They are in flight each time that it kills their worker, and are dead letters in the end."""
    assert " of 10 good ones done" in said(verdicts, "poison")


def test_a_lease_that_is_not_renewed_has_the_task_begun_again(verdicts: dict[str, str]) -> None:
    """By the other worker."""
    assert "a task of 3 s under a lease of 1 s begun " in said(verdicts, "long")


def test_leases_by_the_time_of_day_do_not_outlive_a_jump_of_the_clock(verdicts: dict[str, str]) -> None:
    """An hour ahead, all leases seem to be over."""
    assert " begun twice" in said(verdicts, "clock")


def test_workers_that_give_up_with_the_server_are_missed(verdicts: dict[str, str]) -> None:
    """They end by themselves, and say why in their log."""
    assert " has ended by itself, exit code 1; last in the log: " in said(verdicts, "server")


def test_workers_that_give_up_with_the_connection_are_missed(verdicts: dict[str, str]) -> None:
    """As with the server."""
    assert " has ended by itself, exit code 1; last in the log: " in said(verdicts, "cut")
