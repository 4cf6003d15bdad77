"""One export per file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from user_export.lock import AlreadyRunning, only_writer

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_start_is_refused(tmp_path: Path) -> None:
    """Two writers would mix their lines."""
    out = tmp_path / "users.jsonl"
    with (
        only_writer(out),
        pytest.raises(AlreadyRunning, match=r"another export is writing .*users\.jsonl"),
        only_writer(out),
    ):
        pytest.fail("the second start was let in")


def test_the_lock_is_free_again_and_leaves_nothing(tmp_path: Path) -> None:
    """After an export, also a failed one, the next can start."""
    out = tmp_path / "users.jsonl"
    with pytest.raises(OSError, match="disk"), only_writer(out):
        raise OSError("disk")
    with only_writer(out):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_a_killed_process_left_blocks_nobody(tmp_path: Path) -> None:
    """The kernel drops a dead process's lock; the empty file that stays is only a file."""
    out = tmp_path / "users.jsonl"
    (tmp_path / ".users.jsonl.export-lock").touch()
    with only_writer(out):
        pass


def test_another_file_is_another_export(tmp_path: Path) -> None:
    """Exports to different files run side by side."""
    with only_writer(tmp_path / "a"), only_writer(tmp_path / "b"):
        assert len(list(tmp_path.iterdir())) == 2
