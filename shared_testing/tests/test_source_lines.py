"""The lines around a finding: the function that it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.page.source_lines import source_lines

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """\
import asyncio


async def one():
    a = 1

    b = 2
    c = 3
    d = 4
    e = 5


def two():
    pass
"""


def test_some_lines_before_and_behind(tmp_path: Path) -> None:
    """Three of each, blank ones at the ends left out."""
    (file := tmp_path / "it.py").write_text(SOURCE)
    assert [number for number, _ in source_lines(str(file), 8)] == [5, 6, 7, 8, 9, 10]


def test_not_beyond_the_function(tmp_path: Path) -> None:
    """What stands above its first line, or below its last, is another matter."""
    (file := tmp_path / "it.py").write_text(SOURCE)
    assert source_lines(str(file), 5) == [
        (4, "async def one():"),
        (5, "    a = 1"),
        (6, ""),
        (7, "    b = 2"),
        (8, "    c = 3"),
    ]
    assert [number for number, _ in source_lines(str(file), 14)] == [13, 14]


def test_what_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    """A file that is gone, a line that it does not have, a finding without a place."""
    (file := tmp_path / "it.py").write_text(SOURCE)
    assert source_lines(str(file), 99) == []
    assert source_lines(str(tmp_path / "gone.py"), 1) == []
    assert source_lines(None, None) == []
