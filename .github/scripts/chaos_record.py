"""What workers began and ended, as they noted it themselves: the evidence of a chaos run.

Each note is one short write to a file that is open for appending: whole, in order, and there even if the process is
killed right after it. The times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

FILE = "CHAOS_RECORD"
"""The environment variable which tells a worker where to note it."""


class Note(NamedTuple):
    """One moment of one piece of work."""

    pid: int
    at: float


def note(what: str, number: int) -> None:
    """In a worker: write down that work on `number` has ``"began"`` or ``"ended"``."""
    line = f"{what} {number} {os.getpid()} {time.monotonic()}\n"
    file = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


class Record:
    """The notes of all workers, as far as they have been read."""

    def __init__(self, path: Path) -> None:
        self.began: defaultdict[int, list[Note]] = defaultdict(list)
        self.ended: defaultdict[int, list[Note]] = defaultdict(list)
        self.pids: set[int] = set()
        """Those that have noted anything."""
        path.touch()
        self._file = path.open("rb")
        self._half = b""

    def close(self) -> None:
        self._file.close()

    def read(self) -> bool:
        """Take in what was noted since; whether there was anything."""
        *lines, self._half = (self._half + self._file.read()).split(b"\n")
        for line in lines:
            what, number, pid, at = line.decode().split()
            notes = self.began if what == "began" else self.ended
            notes[int(number)].append(Note(int(pid), float(at)))
            self.pids.add(int(pid))
        return bool(lines)

    def missing(self, numbers: range) -> list[int]:
        """Those that nobody has ended."""
        return [number for number in numbers if number not in self.ended]

    def cut_off(self, pid: int, numbers: range) -> list[int]:
        """Those that this process has begun more often than ended."""
        return [number for number in numbers if _of(pid, self.began, number) > _of(pid, self.ended, number)]

    def begun_again(self, numbers: range) -> list[int]:
        """Those that were begun more than once, by whomever."""
        return [number for number in numbers if len(self.began.get(number, ())) > 1]

    def ended_after(self, moment: float, number: int) -> float | None:
        """Seconds from that moment until somebody had done it."""
        return min((each.at - moment for each in self.ended.get(number, ()) if each.at > moment), default=None)


def _of(pid: int, notes: dict[int, list[Note]], number: int) -> int:
    return sum(each.pid == pid for each in notes.get(number, ()))
