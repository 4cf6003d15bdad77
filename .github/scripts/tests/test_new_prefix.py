"""The names of the distributions change, and nothing else does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import new_prefix
import pytest
from distribution_prefix import prefix_of
from miniature import Repository

if TYPE_CHECKING:
    from collections.abc import Callable

    Bytes = Callable[[], dict[str, bytes]]


QUEUE = """
[project]
name = "house-task-queue"

[project.optional-dependencies]
distributed = ["house-queue[redis]~=0.1.0"]

[dependency-groups]
test = ["house-shared-testing[http]"]
"""

FILES = {
    "README.md": "# house\n\n`pip install house-task-queue[distributed]`, or `house_task_queue-0.1.0.tar.gz`\n",
    "hatch.toml": "",
    "shared_testing/pyproject.toml": '[project]\nname = "house-shared-testing"\n',
    "packages/queue/pyproject.toml": '[project]\nname = "house-queue"\n',
    "packages/task-queue/pyproject.toml": QUEUE,
    "packages/task-queue/src/task_queue/__init__.py": 'KEY = "house:{tasks}"\n',
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small one, built like ours, whose prefix is ``house``; git knows nothing of it."""
    made = Repository(tmp_path / "repository")
    made.write(FILES)
    return made.root


@pytest.fixture
def contents(repository: Path) -> Bytes:
    """``contents()``: the bytes of each file."""
    return lambda: {
        file.relative_to(repository).as_posix(): file.read_bytes()
        for file in repository.rglob("*")
        if file.is_file() and ".git/" not in file.as_posix()
    }


def test_names_are_renamed_wherever_they_stand(
    repository: Path, contents: Bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Metadata, extras, groups and words; what is no name of a distribution stays, and what was done is printed."""
    before = contents()
    assert new_prefix.main(["acme-corp"], repository) == 0
    changed = {name: text.decode() for name, text in contents().items() if text != before[name]}
    old = {name: before[name].decode() for name in changed}
    assert changed == {
        "README.md": (
            "# house\n\n`pip install acme-corp-task-queue[distributed]`, or `acme_corp_task_queue-0.1.0.tar.gz`\n"
        ),
        "packages/queue/pyproject.toml": old["packages/queue/pyproject.toml"].replace("house-", "acme-corp-"),
        "packages/task-queue/pyproject.toml": old["packages/task-queue/pyproject.toml"].replace("house-", "acme-corp-"),
        "shared_testing/pyproject.toml": old["shared_testing/pyproject.toml"].replace("house-", "acme-corp-"),
    }
    assert prefix_of(repository) == "acme-corp"
    assert capsys.readouterr().out == (
        "   2 in README.md\n"
        "   1 in packages/queue/pyproject.toml\n"
        "   3 in packages/task-queue/pyproject.toml\n"
        "   1 in shared_testing/pyproject.toml\n"
        "7 names in 4 files begin with acme-corp now; the way back: new:prefix house\n"
        "next: hatch run fix, as lines have another length now, and hatch run test\n"
    )


def test_a_second_time_changes_nothing_and_says_so(
    repository: Path, contents: Bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the new prefix begins like the old one."""
    new_prefix.rename("house-two", repository)
    before = contents()
    assert new_prefix.main(["house-two"], repository) == 0
    assert contents() == before
    assert capsys.readouterr().out == "nothing to do: the distributions carry the prefix house-two already\n"


def test_the_old_prefix_brings_everything_back(repository: Path, contents: Bytes) -> None:
    """To the byte, line ends too."""
    (repository / "notes.txt").write_bytes(b"house-queue\r\nhouse-task-queue\r\n")
    before = contents()
    new_prefix.rename("acme", repository)
    assert contents()["notes.txt"] == b"acme-queue\r\nacme-task-queue\r\n"
    new_prefix.rename("house", repository)
    assert contents() == before


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("house-queue", "acme-queue"),
        ("house-task-queue", "acme-task-queue"),
        ("pypi-house-queue", "pypi-acme-queue"),
        ("house-queue>=0.1,<2", "acme-queue>=0.1,<2"),
        ("house_queue-0.1.0-py3-none-any.whl", "acme_queue-0.1.0-py3-none-any.whl"),
        ("house_queue.pth", "acme_queue.pth"),
        ("dependency-name: house-*", "dependency-name: acme-*"),
        ("dist/house_*.whl", "dist/acme_*.whl"),
        ("the house-queue.", "the acme-queue."),
        ("house", "house"),
        ("house:{queue}", "house:{queue}"),
        ("house-*s*", "house-*s*"),
        ("house-queues", "house-queues"),
        ("house-queue-extras", "house-queue-extras"),
        ("warehouse-queue", "warehouse-queue"),
        ("https://example.com/house/queue", "https://example.com/house/queue"),
    ],
)
def test_a_name_is_a_whole_name(text: str, renamed: str, repository: Path) -> None:
    """Longer ones are somebody else's, and the word by itself is the project's."""
    file = repository / "notes.txt"
    file.write_text(text)
    new_prefix.rename("acme", repository)
    assert file.read_text() == renamed


def test_what_an_older_branch_brought_in_is_renamed_by_the_same_command(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The toolkit has the new prefix already; the package that was merged, and what it asks for, have the old one."""
    new_prefix.rename("acme", repository)
    merged = repository / "packages" / "merged" / "pyproject.toml"
    merged.parent.mkdir()
    merged.write_text('[project]\nname = "house-merged"\ndependencies = ["house-queue"]\n')
    assert new_prefix.main(["acme"], repository) == 0
    assert merged.read_text() == '[project]\nname = "acme-merged"\ndependencies = ["acme-queue"]\n'
    assert "2 names in 1 files begin with acme now\n" in capsys.readouterr().out


def test_a_name_without_a_prefix_is_a_word_like_others(repository: Path) -> None:
    """To replace it would rename folders and prose."""
    bare = repository / "packages" / "bare" / "pyproject.toml"
    bare.parent.mkdir()
    bare.write_text('[project]\nname = "bare"\n')
    new_prefix.rename("acme", repository)
    assert bare.read_text() == '[project]\nname = "bare"\n'


def test_what_is_no_text_is_left_alone(repository: Path) -> None:
    """An image may hold any bytes, and a link is its target's."""
    image = b"\x89PNG\xff house-queue"
    (repository / "logo.png").write_bytes(image)
    outside = repository.parent / "outside.txt"
    outside.write_text("house-queue")
    (repository / "link.txt").symlink_to(outside)
    new_prefix.rename("acme", repository)
    assert (repository / "logo.png").read_bytes() == image
    assert outside.read_text() == "house-queue"


def test_git_says_what_belongs_to_the_project(repository: Path) -> None:
    """What it ignores is made anew; what is not committed yet is a file like any other, a deleted one is none."""
    for name in ("kept.txt", "deleted.txt", "ignored.txt"):
        (repository / name).write_text("house-queue")
    (repository / ".gitignore").write_text("ignored.txt\n")
    subprocess.run(["git", "init", "--quiet", repository], check=True)
    subprocess.run(["git", "-C", repository, "add", "--all"], check=True)
    (repository / "deleted.txt").unlink()
    (repository / "new.txt").write_text("house-queue")
    new_prefix.rename("acme", repository)
    texts = {name: (repository / name).read_text() for name in ("kept.txt", "new.txt", "ignored.txt")}
    assert texts == {"kept.txt": "acme-queue", "new.txt": "acme-queue", "ignored.txt": "house-queue"}


@pytest.mark.parametrize("git", ["absent", "ignores it all"])
def test_without_git_what_is_made_anew_is_passed_over(
    git: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout without git, or one that was unpacked where another repository ignores it."""
    if git == "absent":
        monkeypatch.setenv("PATH", "")
    else:
        (repository.parent / ".gitignore").write_text("*\n")
        subprocess.run(["git", "init", "--quiet", repository.parent], check=True)
    built = repository / "packages" / "queue" / "dist" / "notes.txt"
    built.parent.mkdir()
    built.write_text("house-queue")
    new_prefix.rename("acme", repository)
    assert built.read_text() == "house-queue"
    assert prefix_of(repository) == "acme"


@pytest.mark.parametrize(
    ("prefix", "like"),
    [
        *(("", ""), ("-", ""), ("Acme", "; acme, say"), ("acme_corp", "; acme-corp, say")),
        *(("acme-", "; acme, say"), ("acme--x", "; acme-x, say"), ("acme corp", "; acme-corp, say")),
    ],
)
def test_a_prefix_that_an_index_would_spell_otherwise_is_refused(
    prefix: str, like: str, repository: Path, contents: Bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and nothing is written."""
    before = contents()
    assert new_prefix.main([prefix], repository) == 2
    shape = "it takes lower-case letters and digits, and single hyphens between them"
    assert capsys.readouterr().err == f"new:prefix: {prefix!r} cannot be a prefix: {shape}{like}\n"
    assert contents() == before


@pytest.mark.parametrize(("given", "said"), [([], "no prefix"), (["a", "b"], "2 prefixes (a, b)")], ids=["none", "two"])
def test_it_takes_one_prefix(given: list[str], said: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever gave another number reads how it is written."""
    assert new_prefix.main(given, repository) == 2
    line = f"new:prefix takes one prefix and was given {said}: hatch run new:prefix acme\n"
    assert capsys.readouterr().err == line


def test_an_interrupt_leaves_the_old_names(
    repository: Path, contents: Bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a rename would be two repositories in one."""
    before, write, written = contents(), Path.write_bytes, []

    def interrupted(self: Path, data: bytes) -> int:
        written.append(self)
        if len(written) == 3:
            raise KeyboardInterrupt
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    assert new_prefix.main(["acme"], repository) == 130
    assert capsys.readouterr().err == "new:prefix was interrupted: nothing was renamed\n"
    assert contents() == before


def test_a_toolkit_of_another_name_is_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its name is what the prefix is read from."""
    file = repository / "shared_testing" / "pyproject.toml"
    file.write_text(file.read_text().replace("house-shared-testing", "house-toolkit"))
    assert new_prefix.main(["acme"], repository) == 2
    said = "shared_testing/pyproject.toml has the name 'house-toolkit'; it is the prefix and -shared-testing"
    assert capsys.readouterr().err == f"new:prefix: {said}\n"
