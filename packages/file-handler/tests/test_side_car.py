"""The one file beside the target: its name, its lock, and what is done with one that a crash has left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from file_handler import side_car
from file_handler.confinement import Place, locate
from file_handler.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(target: Path) -> Iterator[Place]:
    place = locate(str(target), None)
    yield place
    os.close(place.folder)


@pytest.fixture
def beside(target: Path) -> Path:
    return target.with_name(".lines.txt.fh-draft")


def claim(place: Place, mode: int = 0o600) -> int:
    return side_car.claim(place, mode, lambda _: None)


def test_the_name_is_fixed_and_hidden() -> None:
    """So crashes leave at most one, and a listing does not show it."""
    assert side_car.side_car_name("lines.txt") == ".lines.txt.fh-draft"


def test_a_name_of_full_length_has_a_side_car_too(tmp_path: Path) -> None:
    """255 bytes are what file systems take."""
    names = {side_car.side_car_name(letter * 255) for letter in "ab"}
    assert len(names) == 2
    assert all(len(name) <= 255 for name in names)


def test_a_living_writer_is_not_disturbed(place: Place, beside: Path) -> None:
    """The second finds the first's lock, says so at once, and leaves everything as it is."""
    first = claim(place)
    os.write(first, b"draft")
    with pytest.raises(Busy):
        claim(place)
    assert beside.read_bytes() == b"draft"
    side_car.dismiss(place, first)
    os.close(first)
    assert not beside.exists()


def test_what_a_crash_left_is_shown_and_removed(place: Place, beside: Path) -> None:
    """The new side-car is a new file, with its own mode and nothing in it."""
    beside.write_bytes(b"left over")
    beside.chmod(0o644)
    seen = list[bytes]()
    fd = side_car.claim(place, 0o600, lambda left: seen.append(os.pread(left, 100, 0)))
    assert seen == [b"left over"]
    assert (os.fstat(fd).st_size, os.fstat(fd).st_mode & 0o777) == (0, 0o600)
    os.close(fd)


def test_a_planted_link_is_removed_not_followed(place: Place, beside: Path, target: Path) -> None:
    """In a folder that others may write to, the side-car's name could be anything."""
    beside.symlink_to(target)
    os.close(claim(place))
    assert not beside.is_symlink()
    assert target.read_text() == "old\n"


def test_a_planted_hard_link_is_not_written_to(place: Place, beside: Path, target: Path) -> None:
    """It is unlinked: its other name keeps its content."""
    beside.hardlink_to(target)
    fd = claim(place)
    os.write(fd, b"draft")
    os.close(fd)
    assert target.read_text() == "old\n"


def test_what_cannot_be_removed_is_named(place: Place, beside: Path) -> None:
    """A folder by the side-car's name is nobody's draft."""
    beside.mkdir()
    with pytest.raises(IsADirectoryError, match=r"'.lines.txt.fh-draft' beside the file stands in the way"):
        claim(place)


def test_a_draft_that_was_taken_over_is_given_up(place: Place, beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between creating and locking, another process may take the new side-car for an old one: begin again."""
    real_lock, calls = side_car._lock, list[int]()

    def lock_late(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            beside.unlink()
        real_lock(fd)

    monkeypatch.setattr(side_car, "_lock", lock_late)
    fd = claim(place)
    assert len(calls) == 2
    assert side_car.is_named(fd, beside.name, place.folder)
    os.close(fd)
