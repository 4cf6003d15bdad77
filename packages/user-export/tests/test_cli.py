"""The command, started as its users start it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from shared_testing import FakeUsers
from shared_testing.contracts.user_api import GET_USER
from user_export.cli import main
from user_export.lock import only_writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from conftest import Command

    from shared_testing import FileBuilders


def read_ids(out: Path) -> list[int]:
    return [json.loads(line)["id"] for line in out.read_text("utf-8").splitlines()]


@pytest_asyncio.fixture
async def users() -> AsyncIterator[FakeUsers]:
    """Over TCP: the command is another process."""
    async with FakeUsers() as fake:
        yield fake


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "users.jsonl"


async def test_a_complete_export_says_so(command: Command, users: FakeUsers, out: Path) -> None:
    """Exit code 0, one line for people, no progress bar in a pipe."""
    users.populate(120)
    code, printed, errors = await command.run("--base-url", users.url, "--out", out)
    assert (code, errors) == (0, "")
    assert re.fullmatch(rf"120 users are in {re.escape(str(out))} \(\d+ users/s, 0 retries\)\n", printed)
    assert read_ids(out) == list(range(1, 121))


async def test_the_json_summary_is_for_programs(command: Command, users: FakeUsers, out: Path) -> None:
    """One object, with what a dashboard wants to know."""
    users.populate(20)
    users.on(GET_USER).reply(503, times=2)
    code, printed, _ = await command.run("--base-url", users.url, "--out", out, "--json")
    summary: dict[str, Any] = json.loads(printed)
    assert code == 0
    assert (summary["code"], summary["out"]) == (0, str(out))
    assert (summary["total"], summary["written"], summary["resumed"], summary["gone"]) == (20, 20, 0, 0)
    assert summary["retries"] == 2


async def test_quiet_prints_nothing(command: Command, users: FakeUsers, out: Path) -> None:
    """--quiet is for cron."""
    users.populate(1)
    assert await command.run("--base-url", users.url, "--out", out, "--quiet") == (0, "", "")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_it_cleanly_and_it_can_go_on(
    command: Command, users: FakeUsers, out: Path, how: signal.Signals, code: int
) -> None:
    """It says what is done, leaves whole lines, and --resume makes the rest, each user once."""
    users.populate(200)
    users.on(GET_USER).answer(times=100).fault("stall", times=10)
    process = await command.start("--base-url", users.url, "--out", out)
    await users.received(100)
    process.send_signal(how)
    printed, errors = await process.communicate()
    done = len(read_ids(out))
    assert process.returncode == code
    assert printed == b""
    assert errors.decode() == f"user-export: stopped by {how.name}; {done} users are in {out}, go on with --resume\n"
    await go_on(command, users, out)
    assert read_ids(out) == list(range(1, 201))


async def test_a_kill_loses_and_doubles_nobody(command: Command, users: FakeUsers, out: Path) -> None:
    """After kill -9 the file is a beginning, at worst with one torn line, and --resume makes it whole."""
    users.populate(500)
    users.on(GET_USER).answer(times=350).fault("stall", times=10)
    process = await command.start("--base-url", users.url, "--out", out)
    await users.received(350)
    process.kill()
    await process.communicate()
    with out.open("ab") as file:
        file.write(b'{"id": 4')
    await go_on(command, users, out)
    assert read_ids(out) == list(range(1, 501))


async def go_on(command: Command, users: FakeUsers, out: Path) -> None:
    users.forget_script()
    code, _, errors = await command.run("--base-url", users.url, "--out", out, "--resume")
    assert (code, errors) == (0, "")


async def test_an_existing_file_is_not_overwritten_by_accident(command: Command, users: FakeUsers, out: Path) -> None:
    """The error names both ways out."""
    out.write_text("precious\n")
    code, _, errors = await command.run("--base-url", users.url, "--out", out)
    assert code == 2
    assert "--resume goes on with it, --overwrite starts anew" in errors
    assert out.read_text() == "precious\n"


async def test_overwrite_starts_anew(command: Command, users: FakeUsers, out: Path) -> None:
    """Nothing of the old file is left."""
    out.write_text("old\n")
    users.populate(3)
    code, _, _ = await command.run("--base-url", users.url, "--out", out, "--overwrite")
    assert (code, read_ids(out)) == (0, [1, 2, 3])


async def test_a_strangers_file_is_not_resumed(command: Command, users: FakeUsers, out: Path) -> None:
    """--resume on something else than an export changes nothing."""
    out.write_text("precious\nthings\n")
    code, _, errors = await command.run("--base-url", users.url, "--out", out, "--resume")
    assert code == 1
    assert "does not end with an exported user" in errors
    assert out.read_text() == "precious\nthings\n"


async def test_a_second_start_is_refused(command: Command, users: FakeUsers, out: Path) -> None:
    """The first goes on undisturbed."""
    with only_writer(out):
        code, _, errors = await command.run("--base-url", users.url, "--out", out)
    assert code == 1
    assert "another export is writing" in errors


async def test_a_server_that_is_not_there_is_one_sentence(command: Command, out: Path) -> None:
    """No traceback; the address and the way on are named."""
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    code, _, errors = await command.run("--base-url", f"http://127.0.0.1:{port}", "--out", out, "--timeout", "0.2")
    assert code == 1
    assert "Traceback" not in errors
    assert "go on with --resume" in errors


async def test_a_full_disk_is_one_sentence(
    command: Command, users: FakeUsers, files: FileBuilders, tmp_path: Path
) -> None:
    """What was written stays, and can be resumed when there is room."""
    users.populate(500)
    with files.full_disk(free=20_000) as disk:
        code, _, errors = await command.run("--base-url", users.url, "--out", disk / "users.jsonl")
        out = tmp_path / "users.jsonl"
        out.write_bytes((disk / "users.jsonl").read_bytes())
    assert code == 1
    assert "Traceback" not in errors
    assert "go on with --resume" in errors
    assert await command.run("--base-url", users.url, "--out", out, "--resume", "--quiet") == (0, "", "")
    assert read_ids(out) == list(range(1, 501))


async def test_a_login_reads_its_password_from_the_environment(
    command: Command, users: FakeUsers, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password on the command line would be seen by everybody on the machine."""
    users.require_login = True
    users.populate(5)
    monkeypatch.setenv("USER_EXPORT_PASSWORD", "testpass")
    code, _, _ = await command.run("--base-url", users.url, "--out", out, "--user", "testuser")
    assert (code, read_ids(out), users.logins) == (0, [1, 2, 3, 4, 5], 1)


async def test_a_wrong_password_is_one_sentence_without_the_password(
    command: Command, users: FakeUsers, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no file is left that would have to be overwritten."""
    monkeypatch.setenv("USER_EXPORT_PASSWORD", "hunter2")
    code, printed, errors = await command.run("--base-url", users.url, "--out", out, "--user", "testuser")
    assert code == 1
    assert "Traceback" not in errors
    assert "hunter2" not in errors + printed
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--concurrency", "0"], "give a whole number, 1 or more"),
        (["--page-size", "-1"], "must be above 0"),
        (["--timeout", "0"], "seconds above 0"),
        (["--user", "somebody"], "USER_EXPORT_PASSWORD"),
        (["--out", "/"], "give the name of a file"),
        (["--out", "/no/such/folder/users.jsonl"], "in a folder that exists"),
        (["--base-url", "localhost:8080"], "base_url"),
    ],
)
def test_wrong_options_are_usage_errors(
    out: Path, options: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, before anything is asked or written."""
    monkeypatch.delenv("USER_EXPORT_PASSWORD", raising=False)
    with pytest.raises(SystemExit) as exit_:
        main(["--base-url", "http://127.0.0.1:1", "--out", str(out), *options])
    assert exit_.value.code == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


async def test_a_closed_pipe_is_no_error(command: Command, users: FakeUsers, out: Path) -> None:
    """`user-export ... --json | head -0` ends quietly, with the export done."""
    users.populate(3)
    process = await command.start("--base-url", users.url, "--out", out, "--json")
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]
    assert process.stderr is not None
    errors = await process.stderr.read()
    assert await process.wait() == 0
    assert errors == b""
    assert read_ids(out) == [1, 2, 3]


def test_help_tells_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The one thing that everybody wants to know after an interruption."""
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    assert "run the same command with --resume" in " ".join(capsys.readouterr().out.split())
