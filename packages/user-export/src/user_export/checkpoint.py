"""Where an interrupted export stopped.

Users are written in the order of their ids, so the file is its own checkpoint: its last whole line.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
    """Read `out`, drop the line that a killed export left torn at its end, and return where to go on.

    Takes memory for two lines. A missing file is an empty one; NotAnExport leaves the file as it is.
    """
    count, before, last = 0, "", ""
    try:
        async for line in files.iter_lines(out):
            count, before, last = count + 1, last, line
    except FileNotFoundError:
        return Checkpoint()
    last_id = _user_id(last) if count else 0
    if last_id is not None:
        return Checkpoint(last_id, count)
    last_id = _user_id(before) if count > 1 else 0
    torn = last.startswith("{") and not last.endswith("}")
    if last_id is None or not torn:
        raise NotAnExport(f"{out} does not end with an exported user; move it away, or choose another --out")
    await files.write_stream(out, _first(files, out, count - 1))
    return Checkpoint(last_id, count - 1)


def _user_id(line: str) -> int | None:
    try:
        number = json.loads(line)["id"]
    except (ValueError, KeyError, TypeError):
        return None
    return number if type(number) is int else None


async def _first(files: AsyncFileHandler, path: Path, count: int) -> AsyncIterator[str]:
    async for line in files.iter_lines(path):
        if count > 0:
            yield line
        count -= 1
