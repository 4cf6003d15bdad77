"""`hatch run chaos`: it passes a worker that is right, and leaves nothing behind."""

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

SCRIPT = Path(chaos.__file__)


@pytest.mark.slow
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
