"""The file of a SQLiteQueue: how it is opened, what lies in it, and what is said when that fails."""

from __future__ import annotations

import random
import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from queue_processor.errors import QueueFileUnusable, QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

Durability = Literal["normal", "full"]

BUSY_TIMEOUT = 10.0
"""Seconds to wait for other processes, whose transactions take milliseconds."""

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x41575150  # "AWQP", where file(1) and we look whose database it is.

READY, SUSPECT, DELAYED, LEASED, DEAD = range(5)
"""Where a message is. As the first two are 0 and 1, ``deaths >= ?`` tells which of them it is to be."""

# `due` is 0 for what may be handed out, so that one index holds every queue's messages in order of their numbers; the
# end of the delay or of the lease; or a dead letter's place among its like. Bodies lie apart: who renews the lease of
# a megabyte does not write it again.
_SCHEMA = (
    """CREATE TABLE file (mark TEXT NOT NULL, boot TEXT NOT NULL, moment REAL NOT NULL, numbers INTEGER NOT NULL)""",
    """CREATE TABLE message (
        number INTEGER PRIMARY KEY, queue TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0,
        deliveries INTEGER NOT NULL DEFAULT 0, deaths INTEGER NOT NULL DEFAULT 0, reason TEXT)""",
    """CREATE INDEX place ON message (queue, state, due)""",
    """CREATE TABLE body (number INTEGER PRIMARY KEY, body BLOB NOT NULL)""",
    """CREATE TABLE passing (queue TEXT PRIMARY KEY, until REAL NOT NULL)""",
    """CREATE TRIGGER gone AFTER DELETE ON message BEGIN DELETE FROM body WHERE number = old.number; END""",
)


@dataclass(frozen=True, slots=True)
class QueueFile:
    """An open file, for the thread that has opened it."""

    connection: sqlite3.Connection
    mark: str
    """Begins the ids of its messages: another file's are others, also if it takes this one's place."""

    def ids(self, numbers: Iterable[int]) -> list[str]:
        return [f"{self.mark}-{number}" for number in numbers]

    def number(self, message_id: str) -> int:
        """0, which no message has, for an id of another file."""
        mark, _, number = message_id.rpartition("-")
        return int(number) if mark == self.mark and number.isdecimal() and len(number) < 19 else 0

    def begin(self) -> None:
        """A transaction that may write.

        SQLite's own way of waiting for others sleeps longer and longer, up to 0.1 s: whoever comes in between is
        served first, and among busy processes some would wait for longer than a lease.
        """
        end = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(random.uniform(0.0002, 0.002))  # noqa: S311 - no secret
            else:
                return

    def changed_by_others(self) -> int:
        """Another number after each commit of another connection."""
        version: int = self.connection.execute("PRAGMA data_version").fetchone()[0]
        return version


def open_file(path: Path, durability: Durability) -> QueueFile:
    """Raises as :func:`explained` says. What it has opened is closed then."""
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    except sqlite3.Error as error:
        raise explained(error, path) from error
    try:
        return _set_up(connection, path, durability)
    except sqlite3.Error as error:
        connection.close()
        raise explained(error, path) from error
    except QueueFileUnusable:
        connection.close()
        raise


def _set_up(connection: sqlite3.Connection, path: Path, durability: Durability) -> QueueFile:
    # In a transaction, or what is looked at second may be there only since somebody else has made the queue meanwhile.
    connection.execute("BEGIN")
    _check_owner(connection, path)
    connection.execute("COMMIT")
    if (mode := _write_ahead(connection)) != "wal":
        raise QueueFileUnusable(
            f"{path} cannot have a write-ahead log (its journal mode stays {mode!r}): give the path of a file on a "
            "local disk; for a queue in memory there is MemoryQueue"
        )
    connection.execute("PRAGMA synchronous=FULL" if durability == "full" else "PRAGMA synchronous=NORMAL")
    mark = _prepare(connection, path)
    connection.execute("PRAGMA busy_timeout=0")
    return QueueFile(connection, mark)


def explained(error: sqlite3.Error, path: Path) -> Exception:
    """QueueUnavailable for what may pass by itself or by making room, QueueFileUnusable for what will not."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return QueueUnavailable(
            f"{path} was kept locked by another process for {BUSY_TIMEOUT:g} s: end what holds it, a shell with an "
            "open transaction or a backup, and call again"
        )
    if code == sqlite3.SQLITE_FULL:
        return QueueUnavailable(f"{path} cannot grow, as its disk is full; nothing was changed: make room, call again")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return QueueFileUnusable(f"{path} is not a SQLite database, or a damaged one ({error}): move it out of the way")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return QueueFileUnusable(
            f"{path} may not be written ({error}): this process needs to write it and its folder, where "
            f"{path.name}-wal and {path.name}-shm are kept beside it"
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return _not_opened(error, path)
    if code == sqlite3.SQLITE_TOOBIG:
        return QueueFileUnusable(f"a message is larger than SQLite keeps ({error}): put a reference to it, not itself")
    return QueueUnavailable(f"{path} could not be read or written ({error}); nothing was changed: call again")


def _not_opened(error: sqlite3.Error, path: Path) -> Exception:
    if not path.absolute().parent.is_dir():
        return QueueFileUnusable(f"{path} cannot be made, as there is no folder {path.absolute().parent}: make it")
    if path.is_dir():
        return QueueFileUnusable(f"{path} is a folder: give the path of a file in it")
    if not path.exists() or path.is_file():
        return QueueUnavailable(
            f"{path} could not be opened ({error}): this process needs to read and write it and its folder, and to "
            "have a few file descriptors left"
        )
    return QueueFileUnusable(f"{path} is no regular file: give another path")


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    [[owner]] = connection.execute("PRAGMA application_id").fetchall()
    [[version]] = connection.execute("PRAGMA user_version").fetchall()
    [[things]] = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if owner != _APPLICATION_ID and things:
        raise QueueFileUnusable(f"{path} is a database of something else: give the queue a file of its own")
    if version > SCHEMA_VERSION:
        raise QueueFileUnusable(
            f"{path} was made by a newer version of this package (its layout is {version}, and {SCHEMA_VERSION} is "
            "the newest that is known here): upgrade asyncworks-queue-processor"
        )


def _write_ahead(connection: sqlite3.Connection) -> str:
    """SQLite does not wait for others here, whatever its timeout, when several open a new file at once."""
    end = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            mode: str = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return mode


def _prepare(connection: sqlite3.Connection, path: Path) -> str:
    boot = boot_id()
    connection.execute("BEGIN IMMEDIATE")
    # Not before it: others may have written a later moment while their transactions were waited for.
    now = time.monotonic()
    # Somebody may have been faster.
    _check_owner(connection, path)
    if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO file VALUES (?, ?, ?, 0)", (secrets.token_hex(4), boot, now))
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    [[mark, last_boot, moment]] = connection.execute("SELECT mark, boot, moment FROM file").fetchall()
    if boot != last_boot or now < moment:
        # The clock has begun anew, and nobody is left who had a lease by the old one.
        connection.execute("UPDATE message SET due = 0 WHERE state IN (?, ?)", (DELAYED, LEASED))
        connection.execute("UPDATE passing SET until = 0")
    # Also where there is nothing new to say: who may only read the file is to learn it now.
    connection.execute("UPDATE file SET boot = ?, moment = ?", (boot, now))
    connection.execute("COMMIT")
    return str(mark)


def boot_id() -> str:
    """Another one after each start of the machine; nothing where it is not to be had without rights."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
