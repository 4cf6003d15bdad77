"""What a path means, and that a confined handler stays inside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from file_handler import AsyncFileHandler, OutsideRoot
from file_handler.confinement import locate, spelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "inside.txt").write_text("inside\n")
    (tmp_path / "root-outside.txt").write_text("secret\n")
    (root / "file-link").symlink_to(tmp_path / "root-outside.txt")
    (root / "folder-link").symlink_to(tmp_path)
    (root / "dangling").symlink_to(tmp_path / "new.txt")
    (root / "sub" / "good-link").symlink_to("../inside.txt")
    return root


@pytest.fixture
async def confined(root: Path) -> AsyncIterator[AsyncFileHandler]:
    async with AsyncFileHandler(root) as handler:
        yield handler


OUTSIDE = [
    "../root-outside.txt",
    "sub/../../root-outside.txt",
    "/etc/passwd",
    "file-link",
    "folder-link/root-outside.txt",
    "sub/../folder-link/root/../root-outside.txt",
    "dangling",
    "../root",
]


@pytest.mark.parametrize("path", OUTSIDE[:-1])
async def test_nothing_leads_out(confined: AsyncFileHandler, root: Path, path: str) -> None:
    """No absolute path, no "..", no link, neither for reading nor for writing; the error names path and root. (F12)"""
    with pytest.raises(OutsideRoot, match=r"leads out of the root") as caught:
        await confined.read_lines(path)
    assert str(root) in str(caught.value)
    assert Path(path).name in str(caught.value)
    with pytest.raises(PermissionError):
        await confined.write_lines(path, ["mine"])
    with pytest.raises(ValueError, match="leads out"):
        await confined.append_lines(path, ["mine"])
    assert (root.parent / "root-outside.txt").read_text() == "secret\n"
    assert not (root.parent / "new.txt").exists()


@pytest.mark.parametrize("path", ["inside.txt", "./sub/../inside.txt", "sub/good-link", "folder-link/root/inside.txt"])
async def test_what_stays_inside_is_free(confined: AsyncFileHandler, root: Path, path: str) -> None:
    """Links and ".." that end inside the root are ordinary paths, and so is the file's absolute path."""
    assert await confined.read_lines(path) == ["inside"]
    await confined.write_lines(path, ["changed"])
    assert await confined.read_lines(root / "inside.txt") == ["changed"]
    assert (root / "sub" / "good-link").is_symlink()


async def test_a_path_is_read_from_the_root_not_from_the_working_directory(
    confined: AsyncFileHandler, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the process stands does not matter."""
    monkeypatch.chdir(tmp_path)
    await confined.write_lines("sub/new.txt", ["x"])
    assert (root / "sub" / "new.txt").read_text() == "x\n"


async def test_a_relative_root_is_pinned(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later change of the working directory moves no handler."""
    monkeypatch.chdir(root.parent)
    async with AsyncFileHandler("root") as handler:
        monkeypatch.chdir("/")
        assert await handler.read_lines("inside.txt") == ["inside"]


@pytest.mark.parametrize("swapped", ["sub", "sub/file.txt"])
def test_a_link_that_is_put_in_after_the_check_is_not_followed(
    root: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path was resolved, then somebody replaced a folder or the file by a link: refused."""
    from file_handler.regular_file import open_for_reading

    (root / "sub" / "file.txt").write_text("fine\n")
    real_open, done = os.open, list[str]()

    def swap_then_open(name: str, *args: int, **kwargs: int | None) -> int:
        if not done and name == Path(swapped).name:
            done.append(name)
            (root / swapped).rename(root / "away")
            (root / swapped).symlink_to(root.parent / ("root-outside.txt" if "." in swapped else ""))
        return real_open(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swap_then_open)
    with pytest.raises(OutsideRoot, match="while it was being opened"):
        os.close(open_for_reading(spelled("sub/file.txt", str(root)), str(root), allow_special=False))
    assert done


@pytest.mark.parametrize("path", [".", "", "sub/..", "inside.txt/", "sub/"])
async def test_a_folder_is_no_file(confined: AsyncFileHandler, path: str) -> None:
    """The root itself, a folder below it, and a file's name with a slash behind it are refused."""
    with pytest.raises((IsADirectoryError, FileNotFoundError)):
        await confined.write_lines(path, ["x"])


async def test_a_missing_folder_is_named(confined: AsyncFileHandler, root: Path) -> None:
    """The FileNotFoundError says which folder, and what to do. (F12)"""
    with pytest.raises(
        FileNotFoundError, match=r"The folder '.*/no/such' does not exist; create it first: '.*/no/such/f'"
    ):
        await confined.write_lines("no/such/f", ["x"])
    async with AsyncFileHandler() as handler:
        with pytest.raises(FileNotFoundError, match="create it first"):
            await handler.append_lines(root / "no" / "f", ["x"])


@pytest.mark.parametrize(
    ("path", "error"), [("a\0b", ValueError), (b"f", TypeError), (3, TypeError), (None, TypeError)]
)
def test_what_is_no_path_is_refused(path: str, error: type[Exception]) -> None:
    """A descriptor or bytes is not taken for a name."""
    with pytest.raises(error):
        spelled(path, None)


def test_all_spellings_have_one_key(root: Path) -> None:
    """What the locks go by: the folder's inode and the name in it."""
    places = [
        locate(str(root / path), None)
        for path in ("inside.txt", "sub/../inside.txt", "sub/good-link", "folder-link/root/inside.txt")
    ]
    assert len({place.key for place in places}) == 1
    for place in places:
        os.close(place.folder)
