"""Where an interrupted export stopped.

Users are written in the order of their ids, so the file itself is the checkpoint: its last whole line.
A process that was killed while it appended may have left one torn line behind it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from file_handler import AsyncFileHandler


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last user in the file, and how many are in it; 0 and 0 for none."""

    last_id: int = 0
    count: int = 0


class NotAnExport(Exception):
    """The file to resume holds something else than exported users."""


async def find_checkpoint(files: AsyncFileHandler, out: Path) -> Checkpoint:
    """Read `out`, drop a torn last line from it, and return where to go on.

    Takes memory for two lines, however many there are. A file that does not exist is an empty one.
    Raises NotAnExport when the last lines are no users, and leaves the file as it is then.
    """
    count, before, last = 0, "", ""
    try:
        async for line in files.iter_lines(out):
            count, before, last = count + 1, last, line
    except FileNotFoundError:
        return Checkpoint()
    if not count:
        return Checkpoint()
    if (last_id := _user_id(last)) is not None:
        return Checkpoint(last_id, count)
    last_id = _user_id(before) if count > 1 else 0
    if last_id is None:
        raise NotAnExport(f"{out} does not end with an exported user; move it away, or give another --out")
    await files.write_stream(out, _first(files, out, count - 1))
    return Checkpoint(last_id, count - 1)


def _user_id(line: str) -> int | None:
    try:
        user = json.loads(line)
    except ValueError:
        return None
    number = user.get("id") if isinstance(user, dict) else None
    return number if isinstance(number, int) else None


async def _first(files: AsyncFileHandler, path: Path, count: int) -> AsyncIterator[str]:
    async for line in files.iter_lines(path):
        if not count:
            return
        count -= 1
        yield line
