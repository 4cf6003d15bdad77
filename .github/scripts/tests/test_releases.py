"""What must be in order before a version is released, and the order of those that need each other."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
import releases
from miniature import Repository, package, pyproject, repository_in, untouched
from projects import normalize, read_projects, version_key
from releases import Unknown, complaints, find, first, in_order, sibling_complaints

if TYPE_CHECKING:
    from pathlib import Path

    from projects import Project

TODAY = date(2026, 6, 1)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return repository_in(tmp_path)


def names(projects: list[Project]) -> list[str]:
    return [project.folder.name for project in projects]


# ------------------------------------------------------------ version, changelog, tag


def test_a_package_that_is_in_order(repository: Repository) -> None:
    """Before its tag is made, and after that on the same commit."""
    assert complaints(repository.project("shop"), TODAY) == []
    repository.git("tag", "shop-v1.0.0")
    assert complaints(repository.project("shop"), TODAY) == []


def test_the_changelog_is_asked_for_this_version(repository: Repository) -> None:
    """By its file's name, so that one finds it."""
    repository.commit({"packages/shop/CHANGELOG.md": "## Unreleased\n\n- New.\n"})
    assert complaints(repository.project("shop"), TODAY) == [
        "packages/shop/CHANGELOG.md: its first section is still `Unreleased`; make it `## 1.0.0 - 2026-06-01`"
    ]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.0", "1.0 is not newer than shop-v1.0.0; raise it: cd packages/shop; hatch version minor"),
        ("0.9.0", "0.9.0 is not newer than shop-v1.0.0; raise it"),
        ("1.1.0-rc1", "write the version 1.1.0-rc1 as 1.1.0rc1, which is what its files will be called"),
        ("next", "next is no version (PEP 440); write one such as 1.2.0"),
    ],
)
def test_a_version_is_one_and_newer_than_the_last(repository: Repository, version: str, said: str) -> None:
    """Compared as versions, not as text."""
    repository.git("tag", "shop-v1.0.0")
    repository.commit(package("shop", version))
    assert said in "\n".join(complaints(repository.project("shop"), TODAY))


def test_ten_comes_after_nine_and_a_release_after_its_candidates() -> None:
    """Which git itself gets wrong."""
    mixed = ["1.0.0", "1.10.0", "1.0.0rc10", "1.0.0.post1", "1.0.0a2", "1.9.0", "1.0.0rc9", "1.0.0.dev1"]
    ordered = ["1.0.0.dev1", "1.0.0a2", "1.0.0rc9", "1.0.0rc10", "1.0.0", "1.0.0.post1", "1.9.0", "1.10.0"]
    assert sorted(mixed, key=version_key) == ordered


def test_the_last_release_is_the_newest_that_this_commit_comes_after(repository: Repository) -> None:
    """Of this package: the tags of `queue-v2` are not those of `queue`."""
    for tag in ("queue-v1.9.0", "queue-v1.10.0rc1", "queue-v1.10.0", "queue-v2-v3.0.0", "queue-volatile"):
        repository.git("tag", tag)
    repository.git("switch", "--quiet", "--create", "next")
    repository.commit(package("queue", "2.0.0"))
    repository.git("tag", "queue-v2.0.0")
    repository.git("switch", "--quiet", "main")
    assert repository.project("queue").last_release() == ("queue-v1.10.0", "1.10.0")


def test_a_version_is_released_once(repository: Repository) -> None:
    """Its tag stays where it is: what came after it takes a new version."""
    repository.git("tag", "shop-v1.0.0")
    repository.commit({"packages/shop/src/shop.py": "more"})
    (said,) = complaints(repository.project("shop"), TODAY)
    assert said.startswith("shop-v1.0.0 exists, on the commit ")
    assert said.endswith("raise the version: cd packages/shop; hatch version minor")
    assert releases.changes_since(repository.project("shop")) == 1


def test_what_is_not_committed_would_not_be_released(repository: Repository) -> None:
    """New files, too; those of other packages do not matter."""
    repository.write({"packages/shop/src/new.py": "new", "packages/queue/src/new.py": "new"})
    (said,) = complaints(repository.project("shop"), TODAY)
    assert said == "packages/shop has changes that a tag would not hold: packages/shop/src/; commit them"


# ------------------------------------------------------------ what is asked for


@pytest.mark.parametrize("word", ["shop", "packages/shop", "acme-shop", "shop-v1.0.0"])
def test_a_package_has_several_names(word: str) -> None:
    """Its folder, its distribution, and the tag of the release that it is ready for."""
    assert find(word, read_projects(untouched())).folder.name == "shop"


def test_the_toolkit_is_released_too() -> None:
    """Its folder is importable, its tag is written as the others."""
    projects = read_projects(untouched())
    assert (
        find("shared-testing-v1.0.0", projects) == find("shared-testing", projects) == find("shared_testing", projects)
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("shop-v1.0.1", "the tag shop-v1.0.1 is not the version in packages/shop/pyproject.toml, which is 1.0.0; take"),
        ("shop-v1.0.1", "or set the version there first (hatch version 1.0.1)"),
        ("shops", "shops is no package; there are shared_testing, files, lonely, queue, shop, and tags such as shop-v"),
        ("v1.0.0", "v1.0.0 is no package"),
    ],
)
def test_a_wrong_name_is_told_what_there_is(word: str, said: str) -> None:
    """A tag that was pushed too early has to be taken back."""
    with pytest.raises(Unknown) as caught:
        find(word, read_projects(untouched()))
    assert said in str(caught.value)


# ------------------------------------------------------------ the packages that it needs


def test_the_order_is_computed() -> None:
    """What is needed comes first, for an extra too; what only tests need is not released with it."""
    ordered = names(in_order(read_projects(untouched())))
    assert ordered.index("files") < ordered.index("queue") < ordered.index("shop")


def test_a_sibling_without_a_release_comes_first(repository: Repository) -> None:
    """Locally that is said; for a tag that was pushed it is refused."""
    queue, projects = repository.project("queue"), repository.projects()
    assert names(first(queue, projects)) == ["files"]
    assert sibling_complaints(queue, projects, released=False) == []
    assert sibling_complaints(queue, projects, released=True) == [
        "packages/queue needs acme-files~=1.0: release files 1.0.0 first, tag files-v1.0.0"
    ]
    repository.git("tag", "files-v1.0.0")
    assert first(queue, projects) == []
    assert sibling_complaints(queue, projects, released=True) == []


def test_an_older_release_of_a_sibling_will_do_if_it_is_allowed(repository: Repository) -> None:
    """Though the checkout has moved on, to what this package does not allow."""
    repository.git("tag", "files-v1.0.0")
    repository.commit(package("files", "2.0.0"))
    queue, projects = repository.project("queue"), repository.projects()
    assert first(queue, projects) == []
    assert sibling_complaints(queue, projects, released=True) == []


@pytest.mark.parametrize("released", [True, False])
def test_a_sibling_that_nobody_has_is_refused(repository: Repository, released: bool) -> None:
    """Neither the releases nor the checkout satisfy it."""
    repository.commit({"packages/queue/pyproject.toml": pyproject("queue", needs="acme-files~=2.0")})
    queue, projects = repository.project("queue"), repository.projects()
    (said,) = sibling_complaints(queue, projects, released=released)
    assert said.startswith(
        "packages/queue needs acme-files~=2.0, which neither a release of packages/files nor its ver"
    )
    assert first(queue, projects) == []


def test_a_circle_is_named(repository: Repository) -> None:
    """None of them can be the first."""
    repository.commit({"packages/files/pyproject.toml": pyproject("files", needs="acme-queue")})
    with pytest.raises(Unknown, match=r"acme-\w+ needs acme-\w+ needs acme-\w+: none of them can be released first"):
        in_order(repository.projects())


def test_a_requirement_without_a_name_is_refused() -> None:
    """With how it is written."""
    with pytest.raises(ValueError, match=r"'>=1' names no distribution; write it as in name\[extra\]>=1.2"):
        normalize(">=1")
