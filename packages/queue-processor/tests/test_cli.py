"""The command line as it is called: arguments in, an exit code and text out."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from queue_processor import SQLiteQueue
from queue_processor.cli import main

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

# Seconds in which something that works has come, on any machine.
_PATIENCE = 30.0

_HANDLERS = """
import asyncio, os, pathlib, signal

async def note(message):
    with open("done.txt", "a") as file:
        file.write(message.body.decode() + "\\n")

async def slow(message):
    with open("started.txt", "a") as file:
        file.write(message.body.decode() + "\\n")
    await asyncio.sleep(0.2)
    await note(message)

async def endless(message):
    with open("started.txt", "a") as file:
        file.write(message.body.decode() + "\\n")
    await asyncio.sleep(1000)

async def fails(message):
    raise ValueError("not an image")

def plain(message):
    pass

class Works:
    @staticmethod
    async def here(message):
        await note(message)
"""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a queue in a folder of its own, in which there are handlers, too."""
    (tmp_path / "work_here.py").write_text(_HANDLERS, "utf-8")
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path}/jobs.db"


@pytest_asyncio.fixture
async def queue(url: str, tmp_path: Path) -> AsyncIterator[SQLiteQueue]:
    """The queue at `url`."""
    async with SQLiteQueue(tmp_path / "jobs.db", lease=1) as queue:
        yield queue


async def _eventually(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not await true():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.02)


class Command:
    """`python -m queue_processor …` as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ends(self) -> tuple[int, str, str]:
        """Its exit code, and what it said on stdout and stderr."""
        async with asyncio.timeout(_PATIENCE):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), err.decode()


@pytest_asyncio.fixture
async def command() -> AsyncIterator[Callable[..., Awaitable[Command]]]:
    """``await command("run", …)``; ended with the test."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> Command:
        pipe = asyncio.subprocess.PIPE
        line = (sys.executable, "-m", "queue_processor", *arguments)
        started.append(await asyncio.create_subprocess_exec(*line, stdout=pipe, stderr=pipe))
        return Command(started[-1])

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.exists() else []


# ------------------------------------------------------------ run, as a process


async def test_sigterm_finishes_what_is_in_work(
    queue: SQLiteQueue, url: str, tmp_path: Path, command: Callable[..., Awaitable[Command]]
) -> None:
    """Nothing is cut off, nothing is done twice, what waits is kept, and the exit code is 0."""
    await queue.put_many([b"%d" % number for number in range(20)])
    worker = await command("run", "--queue", url, "--handler", "work_here:slow", "--consumers", "4", "--json")

    async def amid_work() -> bool:
        return len(_lines(tmp_path / "started.txt")) >= 6

    await _eventually(amid_work)
    worker.process.send_signal(signal.SIGTERM)
    code, out, err = await worker.ends()
    assert code == 0
    assert "SIGTERM: finishing 4 in work" in err
    done = _lines(tmp_path / "done.txt")
    assert sorted(done) == sorted(_lines(tmp_path / "started.txt"))
    assert len(set(done)) == len(done) < 20
    assert await queue.counts() == (20 - len(done), 0, 0)
    end = json.loads(out.splitlines()[-1])
    assert (end["event"], end["done"], end["queue"]["waiting"]) == ("end", len(done), 20 - len(done))


@pytest.mark.parametrize(("last", "expected"), [(signal.SIGTERM, 1), (signal.SIGINT, 130)])
async def test_a_second_signal_gives_back_what_is_in_work(
    queue: SQLiteQueue,
    url: str,
    tmp_path: Path,
    command: Callable[..., Awaitable[Command]],
    last: signal.Signals,
    expected: int,
) -> None:
    """At once, and uncounted."""
    await queue.put_many([b"a", b"b", b"c"])
    worker = await command("run", "--queue", url, "--handler", "work_here:endless", "--consumers", "2")

    async def at_work() -> bool:
        return len(_lines(tmp_path / "started.txt")) == 2

    await _eventually(at_work)
    worker.process.send_signal(signal.SIGINT)
    assert worker.process.stderr is not None
    async with asyncio.timeout(_PATIENCE):
        assert b"SIGINT: finishing 2 in work" in await worker.process.stderr.readline()
    worker.process.send_signal(last)
    code, _, err = await worker.ends()
    assert code == expected
    assert "0 done" in err
    assert await queue.counts() == (3, 0, 0)
    assert {message.deliveries for message in await queue.get_batch(3, timeout=0)} == {1}


async def test_another_worker_does_what_a_killed_one_had(
    queue: SQLiteQueue, url: str, tmp_path: Path, command: Callable[..., Awaitable[Command]]
) -> None:
    """When its lease has run out."""
    await queue.put_many([b"a", b"b", b"c"])
    victim = await command("run", "--queue", url, "--handler", "work_here:endless", "--lease", "1")

    async def at_work() -> bool:
        return len(_lines(tmp_path / "started.txt")) == 3

    await _eventually(at_work)
    victim.process.kill()
    await victim.ends()
    other = await command("run", "--queue", url, "--handler", "work_here:Works.here", "--lease", "1")

    async def done() -> bool:
        return await queue.counts() == (0, 0, 0)

    await _eventually(done)
    other.process.terminate()
    code, _, err = await other.ends()
    assert code == 0
    assert "3 done" in err
    assert sorted(_lines(tmp_path / "done.txt")) == ["a", "b", "c"]


async def test_a_worker_whose_reader_has_left_goes_on(
    queue: SQLiteQueue, url: str, tmp_path: Path, command: Callable[..., Awaitable[Command]]
) -> None:
    """As with `… --json | head -1`: the work matters more than who watches."""
    line = ("run", "--queue", url, "--handler", "work_here:note", "--json", "--every", "0.05")
    worker = await command(*line)
    assert worker.process.stdout is not None
    async with asyncio.timeout(_PATIENCE):
        first = json.loads(await worker.process.stdout.readline())
    assert (first["event"], first["queue"]) == ("progress", {"waiting": 0, "in_flight": 0, "dead": 0})
    transport: Any = worker.process._transport  # type: ignore[attr-defined]
    transport.get_pipe_transport(1).close()
    await asyncio.sleep(0.2)
    await queue.put_many([b"late"])

    async def done() -> bool:
        return _lines(tmp_path / "done.txt") == ["late"]

    await _eventually(done)
    worker.process.terminate()
    async with asyncio.timeout(_PATIENCE):
        assert await worker.process.wait() == 0
    assert worker.process.stderr is not None
    assert b"Traceback" not in await worker.process.stderr.read()


# ------------------------------------------------------------ what cannot begin


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        ("work_here", "give it as package.module:function"),
        ("nowhere:handle", "importing nowhere: ModuleNotFoundError: No module named 'nowhere'"),
        ("work_here:gone", "module 'work_here' has no attribute 'gone'"),
        ("work_here:plain", "it is not async; make it `async def plain(message)`"),
        ("broken_here:handle", "importing broken_here: ZeroDivisionError: division by zero"),
    ],
)
def test_a_handler_that_is_none_is_told_in_one_line(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], handler: str, complaint: str
) -> None:
    """With exit code 2: nothing was begun."""
    (tmp_path / "broken_here.py").write_text("1 / 0", "utf-8")
    assert main(["run", "--queue", url, "--handler", handler]) == 2
    assert capfd.readouterr().err == f"queue-processor: --handler {handler}: {complaint}\n"


def test_a_queue_that_cannot_be_reached_is_told_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """Without the password."""
    assert main(["status", "--queue", "redis://ann:secret@127.0.0.1:1/0"]) == 2
    err = capfd.readouterr().err
    assert err.startswith("queue-processor: ")
    assert err.count("\n") == 1
    assert "secret" not in err
    assert main(["status", "--queue", "sqlite:///nowhere/jobs.db"]) == 2
    assert main(["status", "--queue", "kafka://ann:secret@host"]) == 2
    assert "secret" not in capfd.readouterr().err


# ------------------------------------------------------------ status and dead


def _with_dead_letters(path: Path, bodies: list[bytes]) -> list[str]:
    async def fill() -> list[str]:
        async with SQLiteQueue(path) as queue:
            ids = await queue.put_many(bodies)
            for message in await queue.get_batch(len(bodies), timeout=1):
                await queue.bury(message, "ValueError: not an image")
            await queue.put_many([b"waits"])
            return ids

    return asyncio.run(fill())


def test_status_says_where_the_messages_are(url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """For people, and for machines."""
    _with_dead_letters(tmp_path / "jobs.db", [b"a", b"b"])
    assert main(["status", "--queue", url]) == 0
    assert capfd.readouterr().out == "1 waiting, 0 in flight, 2 dead\n"
    assert main(["status", "--queue", url, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"waiting": 1, "in_flight": 0, "dead": 2}


def test_a_url_with_a_password_need_not_stand_on_the_command_line(
    url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where everybody on the machine could read it; nor does the help print it."""
    monkeypatch.setenv("QUEUE_URL", url)
    assert main(["status"]) == 0
    assert capfd.readouterr().out == "0 waiting, 0 in flight, 0 dead\n"
    with pytest.raises(SystemExit):
        main(["status", "--help"])
    assert url not in capfd.readouterr().out


def test_dead_letters_are_listed_put_back_and_dropped(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All, or those that are named."""

    def said(*arguments: str, code: int = 0) -> str:
        assert main(["dead", *arguments[:1], "--queue", url, *arguments[1:]]) == code
        out, err = capfd.readouterr()
        return out + err

    first, second, third = _with_dead_letters(tmp_path / "jobs.db", [b"page 1", b"\xff", b"x" * 100])
    assert said("list").splitlines() == [
        f"{first}  after 1: ValueError: not an image  'page 1'",
        f"{second}  after 1: ValueError: not an image  '\ufffd'",
        f"{third}  after 1: ValueError: not an image  '{'x' * 60}…'",
    ]
    letters = [json.loads(line) for line in said("list", "--json", "--limit", "2").splitlines()]
    assert [letter["id"] for letter in letters] == [first, second]
    assert (letters[0]["body"], letters[1]["body_base64"]) == ("page 1", "/w==")
    assert said("list", second).count("\n") == 1
    assert said("retry", code=2) == "queue-processor: dead retry: give the ids, or --all\n"
    assert said("retry", first) == "1 put back\n"
    assert said("drop", "--json", second) == '{"dropped": 1}\n'
    assert said("drop", second, third, code=1) == "1 dropped, 1 not there\n"
    assert said("retry", "--all") == "0 put back\n"
