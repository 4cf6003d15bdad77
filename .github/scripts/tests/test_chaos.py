"""`hatch run chaos`: it finds what is wrong with a worker, passes one that is right, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import chaos
import pytest
from chaos_record import Record

from shared_testing.builders.redis_server import find_program

SCRIPT = Path(chaos.__file__)

_WORKER = "from queue_processor import cli\n{}\nraise SystemExit(cli.main())\n"

# For each scenario a worker that is wrong in just that respect.
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


def test_a_good_worker_passes_and_its_line_has_the_figures() -> None:
    """One line for each scenario."""
    command = [sys.executable, str(SCRIPT), "kill", "--engine", "sqlite", "--quick", "--rounds", "1", "--seed", "7"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=120)
    seed, line = done.stdout.splitlines()
    assert (done.returncode, seed) == (0, "seed 7")
    assert line.startswith("kill   sqlite 1 round, 300 messages, 0 lost, ")
    assert " interrupted, done again after " in line
    assert line.endswith("]  ok")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_amid_it_all_nothing_is_left_behind(tmp_path: Path, how: signal.Signals) -> None:
    """Neither its files nor its processes: their command lines name their folder."""
    command = [sys.executable, str(SCRIPT), "long", "--engine", "sqlite"]
    with subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE) as run:
        try:
            while not list(tmp_path.glob("chaos-*/log")) and run.poll() is None:
                os.sched_yield()
            run.send_signal(how)
            _, errors = run.communicate(timeout=30)
        finally:
            run.kill()
    assert errors.decode() == "chaos: stopped; all processes have been ended\n"
    assert run.returncode == 130
    assert list(tmp_path.iterdir()) == []
    assert subprocess.run(["pgrep", "-f", tmp_path.name], capture_output=True, check=False).stdout == b""


def test_without_a_server_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is begun."""
    monkeypatch.setenv("PATH", tempfile.gettempdir())
    assert chaos.main(["kill"]) == 2
    said = "chaos: none of redis-server, valkey-server is installed: apt-get install redis-server, or leave it out: "
    assert capsys.readouterr() == ("", f"{said}--engine sqlite\n")


def test_an_unknown_scenario_names_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is run."""
    assert chaos.main(["flood"]) == 2
    known = "kill, server, cut, term, poison, long, clock"
    assert capsys.readouterr().err == f"chaos: there is no scenario flood; there are {known}\n"


def test_a_note_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """Whoever reads may come in between."""
    file = tmp_path / "record"
    record = Record(file)
    file.write_text("began 0 11 1.5\nended 0 1")
    record.read()
    assert record.missing(range(1)) == [0]
    assert record.cut_off(11, range(1)) == [0]
    with file.open("a") as more:
        more.write("1 2.5\n")
    record.read()
    record.close()
    assert record.missing(range(1)) == []
    assert record.ended_after(2.0, 0) == 0.5
