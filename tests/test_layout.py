"""What every distribution carries, so that each can be released alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from changelog import UNRELEASED, sections
from distribution_prefix import prefix_of

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = [ROOT / "shared_testing", *sorted(file.parent for file in ROOT.glob("packages/*/pyproject.toml"))]

by_name = pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)


@by_name
def test_a_distribution_is_complete(project: Path) -> None:
    """Metadata, words for people, the licence, and the marker that its types are meant to be used."""
    module = project.name.replace("-", "_")
    needed = ["README.md", "CHANGELOG.md", "LICENSE", f"src/{module}/__init__.py", f"src/{module}/py.typed", "tests"]
    assert [name for name in needed if not (project / name).exists()] == []


@by_name
def test_the_name_carries_the_prefix(project: Path) -> None:
    """One for all, and not none: the bare names belong to strangers on the public index."""
    declared = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    assert declared["name"] == f"{prefix_of()}-{project.name.replace('_', '-')}"


@by_name
def test_the_changelog_begins_with_what_is_next(project: Path) -> None:
    """Nothing is released that its users cannot read about; `hatch run release:check` asks for the date, too."""
    version = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest, *older = sections((project / "CHANGELOG.md").read_text("utf-8"))
    assert newest.title in {version, UNRELEASED}
    assert UNRELEASED not in {each.title for each in older}


@by_name
def test_a_pyproject_holds_nothing_that_is_shared(project: Path) -> None:
    """The environments come from the root by the collector: a package carries two lines for it."""
    text = (project / "pyproject.toml").read_text("utf-8")
    tools = tomllib.loads(text)["tool"]
    assert set(tools) == {"hatch"}
    assert set(tools["hatch"]) == {"build", "env"}
    assert "envs" not in tools["hatch"]


@by_name
def test_sources_and_tests_mirror_each_other(project: Path) -> None:
    """Who reads a file knows where its tests are, and the other way round."""
    sources = {file.stem.strip("_") for file in (project / "src").rglob("*.py")}
    stray = [
        file.name
        for file in (project / "tests").glob("test_*.py")
        if not any(file.stem.removeprefix("test_").startswith(name) for name in sources)
    ]
    # Plugin, command and corpus are tested as a whole.
    allowed = {"test_plugin.py", "test_api_command.py", "test_corpus.py"}
    assert set(stray) - allowed == set()
