"""Lines in memory: what a test sees of them. The promises are those of the contract, which is played here too."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from shared_testing.contracts.line_store_suite import LineStoreContract, LineStoreUnderTest

if TYPE_CHECKING:
    from shared_testing import FileBuilders


class TestLinesInMemory(LineStoreContract):
    @pytest.fixture
    def line_store(self, files: FileBuilders) -> LineStoreUnderTest:
        return LineStoreUnderTest(files.in_memory(), "lines.txt", "others.txt")


async def test_a_test_looks_at_the_lines(files: FileBuilders) -> None:
    """Without awaiting; what it is given it may change."""
    store = files.in_memory()
    await store.write_lines(files.folder / "out.txt", ["a", "b"])
    store[files.folder / "out.txt"].clear()
    assert store[files.folder / "out.txt"] == ["a", "b"]
    assert repr(store) == f"<lines in memory: {files.folder / 'out.txt'}: 2>"
    assert not (files.folder / "out.txt").exists()
    with pytest.raises(KeyError):
        store["other.txt"]


async def test_a_write_that_fails_changes_nothing(files: FileBuilders) -> None:
    """And is safe to be tried again."""
    store = files.in_memory().fails(OSError(errno.ENOSPC, "full"), times=2)
    for write in (store.write_lines, store.append_lines):
        with pytest.raises(OSError, match="full"):
            await write("out.txt", ["a"])
    await store.append_lines("out.txt", ["b"])
    assert store["out.txt"] == ["b"]
