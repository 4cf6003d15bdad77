"""The packages of this repository: what each pyproject.toml says, and which releases git knows of.

Standard library only: the plan of a CI run is made before anything is installed.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?")


@dataclass(frozen=True)
class Project:
    """One distribution. A release of it is a git tag such as task-queue-v1.2.0."""

    folder: Path
    root: Path = ROOT

    def __str__(self) -> str:
        return f"{self.folder.name} {self.version}"

    @property
    def path(self) -> str:
        """The folder, as git and GitHub write it."""
        return self.folder.relative_to(self.root).as_posix()

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text("utf-8"))

    @property
    def name(self) -> str:
        """The distribution's, as it is written."""
        return str(self.pyproject["project"]["name"])

    @property
    def distribution(self) -> str:
        return normalize(self.name)

    @property
    def version(self) -> str:
        return str(self.pyproject["project"]["version"])

    @property
    def requirements(self) -> list[str]:
        """What its users install with it, some of it only for an extra."""
        declared = self.pyproject["project"]
        return [*declared.get("dependencies", []), *chain(*declared.get("optional-dependencies", {}).values())]

    @property
    def test_requirements(self) -> list[str]:
        return [each for each in self.pyproject.get("dependency-groups", {}).get("test", []) if isinstance(each, str)]

    @property
    def tag_prefix(self) -> str:
        return f"{self.folder.name.replace('_', '-')}-v"

    @property
    def tag(self) -> str:
        """What the release of this version is called."""
        return self.tag_prefix + self.version

    def releases(self) -> list[str]:
        """The tags of its releases that HEAD comes after, the newest first."""
        listed = git("tag", "--list", f"{self.tag_prefix}[0-9]*", "--merged", "HEAD", root=self.root).split()
        # The releases of a package `queue-v2` begin like those of version 2 of `queue`.
        tags = [tag for tag in listed if _VERSION.fullmatch(tag.removeprefix(self.tag_prefix))]
        return sorted(tags, key=lambda tag: version_key(tag.removeprefix(self.tag_prefix)), reverse=True)

    def last_release(self) -> tuple[str, str]:
        """The newest release's tag and version; empty before the first."""
        tags = self.releases()
        return (tags[0], tags[0].removeprefix(self.tag_prefix)) if tags else ("", "")


def read_projects(root: Path = ROOT) -> list[Project]:
    files = [root / "shared_testing" / "pyproject.toml", *sorted(root.glob("packages/*/pyproject.toml"))]
    return [Project(file.parent, root) for file in files if file.exists()]


FOLDERS = [project.folder for project in read_projects()]


def version_key(version: str) -> tuple[object, ...]:
    """Sorts versions as PEP 440 does; git's own order puts 1.0.0rc1 after 1.0.0."""
    release, rest = re.fullmatch(r"([\d.]*\d)?(.*)", version, re.DOTALL).groups("")  # type: ignore[union-attr]
    phase = 0 if rest.startswith(".dev") else 2 if not rest else 3 if rest.startswith(".post") else 1
    words = tuple((each.isdigit(), int(each) if each.isdigit() else each) for each in re.findall(r"\d+|\D+", rest))
    return tuple(int(number) for number in release.split(".") if number), phase, words


def normalize(requirement: str) -> str:
    """The distribution's name as PEP 503 compares it."""
    match = re.match(r"[\w.-]+", requirement.strip())
    if match is None:
        raise ValueError(f"{requirement!r} names no distribution; write it as in name[extra]>=1.2")
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def git(*arguments: str, root: Path = ROOT) -> str:
    """What git prints; nothing where there is no repository, as in an sdist."""
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def export(revision: str, paths: list[str], target: Path, root: Path = ROOT) -> None:
    """Write these files of a revision, as committed, below the target."""
    command = ["git", "-C", str(root), "archive", revision, *paths]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as packed:
        packed.extractall(target, filter="data")
