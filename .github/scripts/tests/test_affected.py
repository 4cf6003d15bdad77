"""What a change can break: neither less than that, nor always everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from affected import affected, changed_files
from miniature import Repository, repository_in, untouched
from projects import read_projects

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = ["shared_testing", "packages/files", "packages/lonely", "packages/queue", "packages/shop"]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return repository_in(tmp_path)


def broken_by(repository: Repository, base: str) -> list[str]:
    return affected(changed_files(base, repository.root), repository.projects())


@pytest.mark.parametrize(
    ("file", "suites"),
    [
        ("packages/lonely/src/lonely.py", ["packages/lonely"]),
        ("packages/shop/src/shop.py", ["packages/lonely", "packages/shop"]),
        ("packages/files/src/files.py", ["packages/files", "packages/lonely", "packages/queue", "packages/shop"]),
        ("packages/queue/README.md", ["packages/lonely", "packages/queue", "packages/shop"]),
        ("shared_testing/src/plugin.py", EVERYTHING),
        ("hatch.toml", EVERYTHING),
        (".github/workflows/test.yml", EVERYTHING),
        ("tests/test_layout.py", EVERYTHING),
        ("packages/gone/src/gone.py", EVERYTHING),
        ("packages/queue-2/src/queue.py", EVERYTHING),
        ("README.md", []),
        (".github/CONTRIBUTING.md", []),
        (".github/ISSUE_TEMPLATE/bug.yml", []),
    ],
)
def test_a_change_breaks_what_needs_it(file: str, suites: list[str]) -> None:
    """For running, for an extra or for its tests, directly or not; what belongs to no package may break all."""
    assert affected([file], read_projects(untouched())) == suites


def test_the_changes_are_those_of_git(repository: Repository) -> None:
    """Whatever a file is called: git quotes what is not ASCII."""
    repository.commit({"packages/lonely/a name with blanks, and ünïcode.py": "changed", "README.md": "changed"})
    assert broken_by(repository, "HEAD~1") == ["packages/lonely"]
    assert changed_files("HEAD~1", repository.root) == [
        "README.md",
        "packages/lonely/a name with blanks, and ünïcode.py",
    ]


def test_a_file_that_was_moved_is_missing_where_it_was(repository: Repository) -> None:
    """git calls it a rename, and would name only the new place."""
    base = repository.commit({"packages/queue/src/queue.py": "a long text\n" * 20})
    repository.commit({"packages/queue/src/queue.py": None, "packages/lonely/src/queue.py": "a long text\n" * 20})
    assert broken_by(repository, base) == ["packages/lonely", "packages/queue", "packages/shop"]


def test_what_the_base_has_gained_meanwhile_is_not_this_change(repository: Repository) -> None:
    """A pull request is compared with where it left the main branch."""
    repository.git("switch", "--quiet", "--create", "change")
    repository.commit({"packages/lonely/src/lonely.py": "changed"})
    repository.git("switch", "--quiet", "main")
    main = repository.commit({"packages/files/src/files.py": "changed"})
    repository.git("switch", "--quiet", "change")
    assert broken_by(repository, main) == ["packages/lonely"]


@pytest.mark.parametrize("base", ["", "0" * 40, "f" * 40, "--no-index"])
def test_without_a_base_everything_may_be_broken(
    repository: Repository, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first push of a branch, and a forced one; said aloud, for it costs time."""
    assert broken_by(repository, base) == EVERYTHING
    assert "affected: everything, since" in capsys.readouterr().err


def test_no_change_breaks_nothing(repository: Repository) -> None:
    """Known to be nothing, which is not the same as unknown."""
    assert broken_by(repository, "HEAD") == []


def test_here_too_every_package_is_known() -> None:
    """The toolkit is below all of them."""
    projects = read_projects()
    assert affected(["shared_testing/src/x.py"], projects) == [project.path for project in projects]
