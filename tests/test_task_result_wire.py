"""What a TaskResult is on its way to another process, or to another version: its pickled bytes.

There is no other wire form: results go by pickle through multiprocessing, caches and files. So the bytes that every
version has written must be readable by this one, and this one's by them.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import wire

from task_queue import Status

if TYPE_CHECKING:
    from pathlib import Path

    from task_queue import TaskResult

GOLDEN = sorted(wire.FOLDER.glob("task-result-*.json"))

by_version = pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)


def stored(file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(file.read_text("utf-8"))
    return found


class Reader(pickle.Unpickler):
    """Reads a pickle, and remembers which names it asks for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.names: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.names.add(f"{module}.{name}")
        return super().find_class(module, name)


def names_in(data: bytes) -> set[str]:
    reader = Reader(data)
    reader.load()
    return reader.names


def shape(result: TaskResult) -> list[type]:
    """The kinds of what a result is made from again."""
    made = result.__reduce__()[1]
    assert isinstance(made, tuple)
    return [type(each) for each in made]


def test_the_version_has_its_bytes() -> None:
    """Each release leaves its bytes for those that come after it: `hatch run contract:wire` writes them."""
    assert f"task-result-{wire.version()}" in [file.stem for file in GOLDEN]


@by_version
def test_the_bytes_hold_every_way_to_end(file: Path) -> None:
    """A status whose form nobody kept could change unseen."""
    assert set(stored(file)) == {status.value for status in Status}


@by_version
def test_the_bytes_of_every_version_are_read(file: Path) -> None:
    """And tell what they told when they were written."""
    for status, kept in stored(file).items():
        result = pickle.loads(base64.b64decode(kept["bytes"]))
        assert wire.told(result) == kept["told"], status
        assert wire.told(pickle.loads(pickle.dumps(result))) == kept["told"], status


@pytest.mark.virtual_time
@by_version
async def test_todays_bytes_ask_for_nothing_that_old_versions_lack(file: Path) -> None:
    """An old reader must find every name that a new writer refers to, in the same shape."""
    old = {status: base64.b64decode(kept["bytes"]) for status, kept in stored(file).items()}
    for status, result in (await wire.results()).items():
        assert names_in(pickle.dumps(result)) <= names_in(old[status]), status
        assert shape(result) == shape(pickle.loads(old[status])), status
