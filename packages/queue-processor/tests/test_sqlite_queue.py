"""What a queue in a file promises beyond the contract that all queues are played (tests/test_message_queue.py)."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import time
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import Message, QueueClosed, QueueFileUnusable, QueueUnavailable, SQLiteQueue
from queue_processor.queues import sqlite_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from shared_testing import FileBuilders

_LONG = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


def sql(path: Path, statement: str, *values: Any) -> list[Any]:
    """What somebody with a shell on the file does."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


# ---------------------------------------------------------------- it outlives whoever has it


async def test_messages_outlive_the_queue(path: Path) -> None:
    """What waits, what is in flight and what is dead, and under which name."""
    async with SQLiteQueue(path) as queue:
        await queue.put_many([b"a", b"b", b"c"])
        await queue.named("other").put_many([b"theirs"])
        _, second = await queue.get_batch(2)
        await queue.bury(second, "bad")
    async with SQLiteQueue(path) as queue:
        assert await queue.counts() == (1, 1, 1)
        assert [each.body for each in await queue.get_batch(10)] == [b"c"]
        assert [each.reason for each in await queue.dead_letters()] == ["bad"]
    async with SQLiteQueue(path, name="other") as queue:
        assert [each.body for each in await queue.get_batch(10)] == [b"theirs"]


async def test_a_queue_can_be_opened_again(path: Path) -> None:
    queue = SQLiteQueue(path)
    for body in (b"a", b"b"):
        async with queue:
            await queue.put_many([body])
            assert [each.body for each in await queue.get_batch(1)] == [body]


async def test_ids_are_never_used_again(path: Path) -> None:
    """An id is what handlers know by what they have done already."""
    ids: list[str] = []
    for _ in range(2):
        async with SQLiteQueue(path) as queue:
            ids += await queue.put_many([b"a"])
            await queue.ack(*await queue.get_batch(1))
    path.unlink()
    async with SQLiteQueue(path) as queue:
        ids += await queue.put_many([b"a"])
    assert len(set(ids)) == 3


async def test_a_message_of_another_file_is_not_the_callers(path: Path) -> None:
    async with SQLiteQueue(path) as queue, SQLiteQueue(path.with_name("other.db")) as other:
        for each in (queue, other):
            await each.put_many([b"a"])
        [mine], [theirs] = await queue.get_batch(1), await other.get_batch(1)
        assert await queue.ack(theirs, theirs._replace(id="a"), theirs._replace(id="")) == 0
        assert await queue.ack(mine) == 1


async def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    """And share it from then on."""
    queues = [SQLiteQueue(path) for _ in range(6)]
    await asyncio.gather(*(queue.__aenter__() for queue in queues))
    await asyncio.gather(*(queue.put_many([b"a"]) for queue in queues))
    assert await queues[0].counts() == (6, 0, 0)
    await asyncio.gather(*(queue.close() for queue in queues))


# ---------------------------------------------------------------- several processes

_CONSUMER = """
import asyncio, sys
from queue_processor import SQLiteQueue

async def main():
    path, lease, limit, done = sys.argv[1:]
    async with SQLiteQueue(path, lease=float(lease)) as queue:
        print("ready", flush=True)
        while batch := await queue.get_batch(int(limit), timeout=30):
            for message in batch:
                print(message.body.decode(), flush=True)
            if done == "done":
                await queue.ack(*batch)
            else:
                await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def consumer(path: Path, lease: float, limit: int, done: str = "done") -> AsyncIterator[asyncio.StreamReader]:
    """What another process, which is killed at the end, says of its messages."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CONSUMER, str(path), str(lease), str(limit), done), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process.stdout
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_processes_share_a_file(path: Path) -> None:
    """Who waits in another process gets what is put here, and each message has one consumer."""
    numbers = [b"%d\n" % number for number in range(40)]
    async with SQLiteQueue(path) as queue, consumer(path, _LONG, 3) as first, consumer(path, _LONG, 3) as second:
        await queue.put_many([number.strip() for number in numbers])
        seen: list[bytes] = []

        async def read(lines: asyncio.StreamReader) -> None:
            while len(seen) < len(numbers):
                seen.append(await lines.readline())

        readers = {asyncio.create_task(read(lines)) for lines in (first, second)}
        _, idle = await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED, timeout=_LONG)
        for reader in idle:
            reader.cancel()
        await asyncio.wait(readers)
        assert sorted(seen) == sorted(numbers)
        assert await queue.get_batch(1, timeout=0) == []


async def test_what_a_killed_process_had_comes_back(path: Path) -> None:
    """After its lease, counted; who had nothing to do with it has lost nothing."""
    lease = 0.5
    async with SQLiteQueue(path, lease=lease) as queue:
        await queue.put_many([b"a", b"b", b"c"])
        async with consumer(path, lease, 2, "not done") as lines:
            assert {await lines.readline(), await lines.readline()} == {b"a\n", b"b\n"}
        [innocent] = await queue.get_batch(1, timeout=_LONG)
        assert (innocent.body, innocent.deliveries, innocent.deaths) == (b"c", 1, 0)
        await queue.ack(innocent)
        back: list[Message] = []
        while len(back) < 2:
            back += await queue.get_batch(2, timeout=_LONG)
        assert [(each.body, each.deliveries, each.deaths) for each in back] == [(b"a", 2, 1), (b"b", 2, 1)]


async def test_a_queue_that_nobody_closed_keeps_no_process_from_ending(path: Path) -> None:
    program = (
        "import asyncio, sys; from queue_processor import SQLiteQueue\n"
        "async def main():\n"
        "    await (await SQLiteQueue(sys.argv[1]).__aenter__()).put_many([b'a'])\n"
        "asyncio.run(main())"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-c", program, str(path))
    async with asyncio.timeout(_LONG):
        assert await process.wait() == 0
    async with SQLiteQueue(path) as queue:
        assert await queue.counts() == (1, 0, 0)


# ---------------------------------------------------------------- time


@pytest.mark.parametrize("change", ["boot = 'another'", "moment = moment + 1e9"])
async def test_after_a_restart_of_the_machine_nobody_has_a_lease(path: Path, change: str) -> None:
    """Nor a delay an end that could be known, as the clock that both go by has begun anew."""
    async with SQLiteQueue(path, lease=_LONG) as queue:
        await queue.put_many([b"in flight", b"delayed"])
        _, delayed = await queue.get_batch(2)
        await queue.nack(delayed, delay=_LONG)
    sql(path, f"UPDATE file SET {change}")
    async with SQLiteQueue(path, lease=_LONG) as queue:
        batch = await queue.get_batch(10, timeout=0)
        assert [(each.body, each.deliveries, each.deaths) for each in batch] == [
            (b"in flight", 2, 1),
            (b"delayed", 2, 0),
        ]
    async with SQLiteQueue(path, lease=_LONG) as queue:
        assert await queue.counts() == (0, 2, 0)


async def test_who_opens_the_file_among_others_at_work_ends_no_lease(path: Path) -> None:
    """Though they hand messages out while it waits for its turn: that is not a clock that has begun anew."""
    async with SQLiteQueue(path, lease=_LONG) as queue:
        await queue.put_many([b"a"])
        await queue.get_batch(1)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            opening = asyncio.create_task(SQLiteQueue(path).__aenter__())
            await asyncio.sleep(0.05)
            assert not opening.done()
            other.execute("UPDATE file SET moment = ?", (time.monotonic(),))
            other.execute("COMMIT")
        async with await opening as late:
            assert await late.counts() == (0, 1, 0)


async def test_a_jump_of_the_wall_clock_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases neither end by it nor last longer."""
    async with SQLiteQueue(path, lease=0.2) as queue:
        await queue.put_many([b"a"])
        now = time.time()
        await queue.get_batch(1)
        monkeypatch.setattr(time, "time", lambda: now + 86_400)
        assert await queue.get_batch(1, timeout=0) == []
        monkeypatch.setattr(time, "time", lambda: now - 86_400)
        assert [each.deliveries for each in await queue.get_batch(1, timeout=_LONG)] == [2]


# ---------------------------------------------------------------- what goes wrong with the file


async def test_a_full_disk_takes_nothing_and_loses_nothing(files: FileBuilders) -> None:
    """Room made, the same queue goes on."""
    with files.full_disk(free=400_000) as disk:
        ballast = disk / "ballast"
        async with SQLiteQueue(disk / "queue.db") as queue:
            kept = await queue.put_many([b"x" * 1000] * 10)
            ballast.write_bytes(b"x" * 100_000)
            with pytest.raises(QueueUnavailable, match=r"queue\.db .*nothing was changed"):
                await queue.put_many([b"x" * 1000] * 1000)
            ballast.unlink()
            assert await queue.counts() == (10, 0, 0)
            kept += await queue.put_many([b"y"])
            assert [each.id for each in await queue.get_batch(20)] == kept


async def test_a_file_that_is_kept_locked_is_unavailable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as it is; nobody waits for ever."""
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT", 0.05)
    async with SQLiteQueue(path) as queue:
        with closing(sqlite3.connect(path, isolation_level=None)) as shell:
            shell.execute("BEGIN IMMEDIATE")
            with pytest.raises(QueueUnavailable, match=r"queue\.db was kept locked by another process for 0\.05 s"):
                await queue.put_many([b"a"])
            shell.execute("ROLLBACK")
        await queue.put_many([b"b"])
        assert [each.body for each in await queue.get_batch(2)] == [b"b"]


async def test_a_file_that_is_kept_locked_can_be_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        async with SQLiteQueue(path):
            shell.execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE TABLE theirs (a)", "is a database of something else: give the queue a file of its own"),
        ("PRAGMA user_version = 99", "was made by a newer version of this package .*99.* upgrade"),
    ],
)
async def test_a_database_that_is_not_ours_is_left_alone(path: Path, statement: str, said: str) -> None:
    """Somebody else's, or one that only a newer version of this package can read."""
    sql(path, statement)
    before = path.read_bytes()
    with pytest.raises(QueueFileUnusable, match=rf"queue\.db {said}"):
        await SQLiteQueue(path).__aenter__()
    assert path.read_bytes() == before


async def test_what_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"to be, or not to be" * 100)
    with pytest.raises(QueueFileUnusable, match=r"queue\.db is not a SQLite database"):
        await SQLiteQueue(path).__aenter__()
    assert path.read_bytes() == b"to be, or not to be" * 100


async def test_a_path_at_which_no_file_can_be_is_told_of(files: FileBuilders) -> None:
    """With what to do about it."""
    missing = files.missing("missing/queue.db")
    wrong: list[tuple[str | Path, str]] = [
        (missing, f"as there is no folder {missing.parent}: make it"),
        (files.directory(), "is a folder: give the path of a file in it"),
        (":memory:", "for a queue in memory there is MemoryQueue"),
    ]
    for path, said in wrong:
        with pytest.raises(QueueFileUnusable, match=said):
            await SQLiteQueue(path).__aenter__()
    assert not missing.parent.exists()


async def test_a_file_that_may_not_be_written_is_told_of(path: Path, files: FileBuilders) -> None:
    async with SQLiteQueue(path):
        """A whole one."""
    with pytest.raises(QueueFileUnusable, match=r"queue\.db may not be written"):
        await SQLiteQueue(files.read_only("queue.db", path.read_bytes())).__aenter__()


# ---------------------------------------------------------------- calls, cancelled and late


async def test_what_a_cancelled_call_took_is_given_back_at_once(path: Path) -> None:
    """Uncounted, wherever it was cancelled; nobody has to wait for a lease."""
    async with SQLiteQueue(path, lease=_LONG) as queue:
        for turns in range(20):
            await queue.put_many([b"a"])
            taking = asyncio.create_task(queue.get_batch(1))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns % 3 == 0:
                await queue.counts()
            taking.cancel()
            await asyncio.wait([taking])
            batch = await queue.get_batch(2, timeout=_LONG) if taking.cancelled() else taking.result()
            assert [(each.body, each.deliveries) for each in batch] == [(b"a", 1)]
            await queue.ack(*batch)


async def test_one_calls_mistake_is_not_the_others(path: Path) -> None:
    """Though they may have shared a transaction."""
    async with SQLiteQueue(path) as queue:
        await queue.put_many([b"a"])
        [message] = await queue.get_batch(1)
        before, wrong, after = await asyncio.gather(
            queue.renew(message),
            queue.renew(message._replace(deliveries=2**70)),
            queue.ack(message),
            return_exceptions=True,
        )
        assert isinstance(wrong, OverflowError)
        assert (before, after) == (1, 1)
        assert await queue.counts() == (0, 0, 0)


async def test_closing_ends_who_waits_and_does_what_was_called(path: Path) -> None:
    async with SQLiteQueue(path) as queue:
        waiting = asyncio.create_task(queue.named("other").get_batch(1))
        putting = asyncio.create_task(queue.put_many([b"a"]))
        await asyncio.sleep(0)
    with pytest.raises(QueueClosed, match="is closed: enter it again"):
        await waiting
    assert len(await putting) == 1
    async with SQLiteQueue(path) as queue:
        assert await queue.counts() == (1, 0, 0)


async def test_a_queue_that_is_not_open_says_so(path: Path) -> None:
    """Before it was entered, after it was left, and by each of its names."""
    queue = SQLiteQueue(path)
    for each in (queue, queue.named("other")):
        with pytest.raises(QueueClosed, match=r"queue\.db, closed>: open it first"):
            await each.put_many([b"a"])
    async with queue:
        await queue.named("other").close()
        await queue.put_many([b"a"])
    await queue.close()
    with pytest.raises(QueueClosed):
        await queue.counts()


async def test_opening_may_be_cancelled(path: Path) -> None:
    """It leaves no thread behind."""
    for turns in range(3):
        opening = asyncio.create_task(SQLiteQueue(path).__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()


def test_arguments_that_make_no_queue_are_refused(path: Path) -> None:
    wrong: list[dict[str, Any]] = [{"lease": 0}, {"max_deliveries": 0}, {"durability": "some"}]
    for arguments in wrong:
        with pytest.raises(ValueError, match=next(iter(arguments))):
            SQLiteQueue(path, **arguments)


@pytest.mark.parametrize(("durability", "level"), [("normal", 1), ("full", 2)])
def test_durability_is_what_sqlite_calls_synchronous(
    path: Path, durability: sqlite_file.Durability, level: int
) -> None:
    """With 2 each commit is on the disk before the call returns: nothing else could be seen without a power cut."""
    with closing(sqlite_file.open_file(path, durability).connection) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
