"""Where an export goes on, read from the file itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from user_export import Checkpoint, NotAnExport, find_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from file_handler import AsyncFileHandler

ONE = '{"id": 1, "name": "Alice"}\n'
TWO = '{"id": 2, "name": "Bob"}\n'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", Checkpoint(0, 0)),
        (ONE, Checkpoint(1, 1)),
        (ONE + TWO, Checkpoint(2, 2)),
        (ONE + TWO.rstrip("\n"), Checkpoint(2, 2)),
    ],
)
async def test_the_last_user_is_where_it_goes_on(
    handler: AsyncFileHandler, tmp_path: Path, content: str, expected: Checkpoint
) -> None:
    """The file is its own checkpoint, and whole lines are left as they are."""
    out = tmp_path / "users.jsonl"
    out.write_text(content)
    assert await find_checkpoint(handler, out) == expected
    assert out.read_text() == content


async def test_no_file_is_an_empty_one(handler: AsyncFileHandler, tmp_path: Path) -> None:
    """--resume on the first run starts at the first user."""
    assert await find_checkpoint(handler, tmp_path / "users.jsonl") == Checkpoint(0, 0)


@pytest.mark.parametrize("cut", range(1, len(TWO) - 2))
async def test_a_torn_line_is_dropped(handler: AsyncFileHandler, tmp_path: Path, cut: int) -> None:
    """Wherever a kill cut the last line, it goes, and the lines before it stay."""
    out = tmp_path / "users.jsonl"
    out.write_text(ONE + TWO[:cut])
    assert await find_checkpoint(handler, out) == Checkpoint(1, 1)
    assert out.read_text() == ONE


async def test_a_single_torn_line_leaves_an_empty_file(handler: AsyncFileHandler, tmp_path: Path) -> None:
    """A kill during the very first append is an export that has not begun."""
    out = tmp_path / "users.jsonl"
    out.write_text(ONE[:9])
    assert await find_checkpoint(handler, out) == Checkpoint(0, 0)
    assert out.read_text() == ""


@pytest.mark.parametrize(
    "content", ["a letter\nto my mother\n", '{"name": "Alice"}\n[]\n', "1\n2\n", '{"id": true}\n{}\n']
)
async def test_a_strangers_file_is_refused_and_kept(handler: AsyncFileHandler, tmp_path: Path, content: str) -> None:
    """Who names the wrong file gets an error, not an emptied file."""
    out = tmp_path / "letter.txt"
    out.write_text(content)
    with pytest.raises(NotAnExport, match=r"letter\.txt does not end with an exported user"):
        await find_checkpoint(handler, out)
    assert out.read_text() == content


async def test_one_strange_line_is_not_taken_for_a_torn_one(handler: AsyncFileHandler, tmp_path: Path) -> None:
    """A torn line of ours begins as a user begins; anything else is somebody's data."""
    out = tmp_path / "letter.txt"
    out.write_text("precious")
    with pytest.raises(NotAnExport):
        await find_checkpoint(handler, out)
    assert out.read_text() == "precious"
