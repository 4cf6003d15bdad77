"""What a SQLiteQueue does with its messages, in SQL. Each function runs in a transaction of the thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from queue_processor.queues.message_queue import DEATHS_TO_QUARANTINE, LEASE_OVER, Counts, DeadMessage, Message
from queue_processor.queues.sqlite_file import DEAD, DELAYED, LEASED, READY, SUSPECT
from queue_processor.queues.sqlite_thread import NotYet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from queue_processor.queues.sqlite_file import QueueFile


# Whose lease has run out may still have a say, as long as nobody else has got the message: so less is done twice.
_MINE = "number = ? AND deliveries = ? AND queue = ? AND state = ?"


class Messages:
    """Those of one queue in a file."""

    def __init__(self, queue: str, lease: float, max_deliveries: int, forgotten_after: float | None = None) -> None:
        self.queue = queue
        self.lease = lease
        self.max_deliveries = max_deliveries
        self._forgotten_after = forgotten_after
        self._asked_for_until = float("-inf")

    # ------------------------------------------------------------ in and out

    def put(self, file: QueueFile, bodies: Sequence[bytes]) -> list[str]:
        [[last]] = _all(file, "UPDATE file SET numbers = numbers + ? RETURNING numbers", len(bodies))
        numbers = range(last - len(bodies) + 1, last + 1)
        run = file.connection.executemany
        run("INSERT INTO body VALUES (?, ?)", zip(numbers, bodies, strict=True))
        run("INSERT INTO message (number, queue) VALUES (?, ?)", ((number, self.queue) for number in numbers))
        return file.ids(numbers)

    def hand_out(self, file: QueueFile, limit: int) -> list[Message] | NotYet:
        now = time.monotonic()
        self._be_asked_for(file, now)
        moment = self._take_back(file, now)
        # A suspect comes alone: all its neighbours in a batch would die with it.
        suspects = _all(
            file, "SELECT 1 FROM message WHERE queue = ? AND state = ? AND due = 0 LIMIT 1", self.queue, SUSPECT
        )
        state, limit = (SUSPECT, 1) if suspects else (READY, max(0, limit))
        rows = _all(
            file,
            "UPDATE message SET state = ?, due = ?, deliveries = deliveries + 1 WHERE number IN "
            "(SELECT number FROM message WHERE queue = ? AND state = ? AND due = 0 ORDER BY number LIMIT ?) "
            "RETURNING number, deliveries, deaths, (SELECT body FROM body WHERE body.number = message.number)",
            *(LEASED, now + self.lease),
            *(self.queue, state, limit),
        )
        if not rows:
            return NotYet(moment)
        _all(file, "UPDATE file SET moment = ?", now)
        return [
            Message(f"{file.mark}-{number}", body, deliveries, deaths)
            for number, deliveries, deaths, body in sorted(rows)
        ]

    def withdraw(self, file: QueueFile, ids: Iterable[str]) -> int:
        rows = [(self.queue, READY, SUSPECT, DELAYED, file.number(each)) for each in ids]
        change = "DELETE FROM message WHERE queue = ? AND state IN (?, ?, ?) AND number = ?"
        return max(0, file.connection.executemany(change, rows).rowcount)

    # ------------------------------------------------------------ dealt with

    def ack(self, file: QueueFile, messages: Iterable[Message]) -> int:
        return self._each_of_mine(file, "DELETE FROM message", (), messages)

    def release(self, file: QueueFile, messages: Iterable[Message]) -> int:
        change = "UPDATE message SET state = (deaths >= ?), due = 0, deliveries = deliveries - 1"
        return self._each_of_mine(file, change, (DEATHS_TO_QUARANTINE,), messages)

    def renew(self, file: QueueFile, messages: Iterable[Message]) -> int:
        return self._each_of_mine(file, "UPDATE message SET due = ?", (time.monotonic() + self.lease,), messages)

    def nack(self, file: QueueFile, message: Message, delay: float, reason: str) -> bool:
        if message.deliveries >= self.max_deliveries:
            return self.bury(file, message, reason or "given back")
        if delay > 0:
            change, values = "UPDATE message SET state = ?, due = ?", (DELAYED, time.monotonic() + delay)
            return bool(self._each_of_mine(file, change, values, [message]))
        change = "UPDATE message SET state = (deaths >= ?), due = 0"
        return bool(self._each_of_mine(file, change, (DEATHS_TO_QUARANTINE,), [message]))

    def bury(self, file: QueueFile, message: Message, reason: str) -> bool:
        values = (DEAD, self._last_place(file), reason)
        change = "UPDATE message SET state = ?, due = ?, reason = ?"
        return bool(self._each_of_mine(file, change, values, [message]))

    def _each_of_mine(
        self, file: QueueFile, change: str, values: tuple[object, ...], messages: Iterable[Message]
    ) -> int:
        owned = ((*values, file.number(each.id), each.deliveries, self.queue, LEASED) for each in messages)
        return max(0, file.connection.executemany(f"{change} WHERE {_MINE}", owned).rowcount)

    # ------------------------------------------------------------ looked at

    def dead_letters(self, file: QueueFile, limit: int | None) -> list[DeadMessage]:
        self._take_back(file, time.monotonic())
        rows = _all(
            file,
            "SELECT number, body, deliveries, reason FROM message JOIN body USING (number) "
            "WHERE queue = ? AND state = ? ORDER BY due, number LIMIT ?",
            *(self.queue, DEAD, -1 if limit is None else max(0, limit)),
        )
        return [DeadMessage(f"{file.mark}-{number}", *rest) for number, *rest in rows]

    def retry_dead(self, file: QueueFile, ids: Sequence[str]) -> int:
        change = "UPDATE message SET state = 0, due = 0, deliveries = 0, deaths = 0, reason = NULL"
        return self._each_dead(file, change, ids)

    def drop_dead(self, file: QueueFile, ids: Sequence[str]) -> int:
        return self._each_dead(file, "DELETE FROM message", ids)

    def _each_dead(self, file: QueueFile, change: str, ids: Sequence[str]) -> int:
        change = f"{change} WHERE queue = ? AND state = ?"
        if not ids:
            return file.connection.execute(change, (self.queue, DEAD)).rowcount
        rows = [(self.queue, DEAD, file.number(each)) for each in ids]
        return file.connection.executemany(f"{change} AND number = ?", rows).rowcount

    def counts(self, file: QueueFile) -> Counts:
        self._take_back(file, time.monotonic())
        of = dict(_all(file, "SELECT state, count(*) FROM message WHERE queue = ? GROUP BY state", self.queue))
        return Counts(sum(of.get(state, 0) for state in (READY, SUSPECT, DELAYED)), of.get(LEASED, 0), of.get(DEAD, 0))

    # ------------------------------------------------------------ inside

    def _be_asked_for(self, file: QueueFile, now: float) -> None:
        """Of a queue that is forgotten in time: say that it is not yet, and forget those of readers that are gone."""
        if self._forgotten_after is None or now < self._asked_for_until - 0.9 * self._forgotten_after:
            return
        self._asked_for_until = now + self._forgotten_after
        run = file.connection.execute
        run(
            "INSERT INTO passing VALUES (?, ?) ON CONFLICT (queue) DO UPDATE SET until = excluded.until",
            (self.queue, self._asked_for_until),
        )
        run("DELETE FROM message WHERE queue IN (SELECT queue FROM passing WHERE until < ?)", (now,))
        run("DELETE FROM passing WHERE until < ?", (now,))

    def _take_back(self, file: QueueFile, now: float) -> float:
        """Whose delay or lease is over waits again. When the next one will be."""
        moment = self._next_moment(file)
        if moment > now:
            return moment
        run = file.connection.execute
        run(
            "UPDATE message SET state = ?, due = ?, reason = ?, deaths = deaths + 1 "
            "WHERE queue = ? AND state = ? AND due <= ? AND deliveries >= ?",
            (DEAD, self._last_place(file), LEASE_OVER, self.queue, LEASED, now, self.max_deliveries),
        )
        run(
            "UPDATE message SET state = (deaths + 1 >= ?), due = 0, deaths = deaths + 1 "
            "WHERE queue = ? AND state = ? AND due <= ?",
            (DEATHS_TO_QUARANTINE, self.queue, LEASED, now),
        )
        run(
            "UPDATE message SET state = (deaths >= ?), due = 0 WHERE queue = ? AND state = ? AND due <= ?",
            (DEATHS_TO_QUARANTINE, self.queue, DELAYED, now),
        )
        return self._next_moment(file)

    def _next_moment(self, file: QueueFile) -> float:
        [ends] = _all(
            file,
            "SELECT (SELECT min(due) FROM message WHERE queue = ? AND state = ?), "
            "(SELECT min(due) FROM message WHERE queue = ? AND state = ?)",
            *(self.queue, DELAYED),
            *(self.queue, LEASED),
        )
        return min((end for end in ends if end is not None), default=float("inf"))

    def _last_place(self, file: QueueFile) -> float:
        """Behind the other dead letters."""
        [[last]] = _all(file, "SELECT max(due) FROM message WHERE queue = ? AND state = ?", self.queue, DEAD)
        return 1.0 if last is None else float(last) + 1


def _all(file: QueueFile, statement: str, *values: object) -> list[tuple[Any, ...]]:
    return file.connection.execute(statement, values).fetchall()
