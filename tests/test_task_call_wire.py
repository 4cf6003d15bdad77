"""What goes through a queue between a QueueEngine and its workers, of every version that was released.

Callers and workers are not upgraded in the same moment, and a queue holds what the last release has put there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import wire

if TYPE_CHECKING:
    from pathlib import Path

GOLDEN = sorted(wire.FOLDER.glob("task-call-*.json"))

by_version = pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)


def stored(file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(file.read_text("utf-8"))
    return found


def test_the_version_has_its_bytes() -> None:
    """Each release leaves its own for those that come after it: `hatch run contract:wire` writes them."""
    assert f"task-call-{wire.version()}" in [file.stem for file in GOLDEN]


@by_version
def test_the_bytes_of_every_version_are_read(file: Path) -> None:
    """And tell what they told when they were written."""
    kinds = {name: type(message) for name, message in wire.messages().items()}
    for name, kept in stored(file).items():
        assert wire.told_by(kinds[name].decode(kept["text"].encode())) == kept["told"], name


@by_version
def test_what_is_sent_today_an_old_version_can_read(file: Path) -> None:
    """It finds every field that it knows, and the version that it asks for."""
    today = wire.messages()
    for name, kept in stored(file).items():
        old, new = json.loads(kept["text"]), json.loads(today[name].encode())
        assert new.keys() >= old.keys(), name
        assert new["v"] == old["v"], name
