"""For the tests of these scripts: a repository in miniature, with a history that a test can go on writing."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from projects import Project, read_projects

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMELESS = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false")


@dataclass(frozen=True)
class Repository:
    root: Path

    def git(self, *arguments: str) -> str:
        command = ["git", *NAMELESS, *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: dict[str, str | None]) -> str:
        """Write these files (None: delete) and commit them; the name of the commit."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def write(self, files: Mapping[str, str | None]) -> None:
        for name, text in files.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                file.unlink()
            else:
                file.write_text(text, "utf-8")

    def projects(self) -> list[Project]:
        return read_projects(self.root)

    def project(self, name: str) -> Project:
        return next(each for each in self.projects() if each.folder.name == name)


def pyproject(name: str, version: str = "1.0.0", needs: str = "", extra: str = "", test: str = "") -> str:
    """Each of the last three is one requirement, or none."""
    asked = {"dependencies": needs, "[project.optional-dependencies]\nmore": extra, "[dependency-groups]\ntest": test}
    lists = "".join(f"{key} = {[need] if need else []}\n" for key, need in asked.items())
    return f'[project]\nname = "acme-{name}"\nversion = "{version}"\n{lists}'


def package(name: str, version: str = "1.0.0", **needs: str) -> dict[str, str | None]:
    return {
        f"packages/{name}/pyproject.toml": pyproject(name, version, **needs),
        f"packages/{name}/CHANGELOG.md": f"# Changelog\n\n## {version} - 2026-05-31\n\n- New.\n",
    }


def repository_in(folder: Path) -> Repository:
    """`queue` needs `files`, `shop` needs `queue` for an extra, the tests of `lonely` need `shop`; and the toolkit."""
    return Repository(shutil.copytree(untouched(), folder / "repository"))


@functools.cache
def untouched() -> Path:
    """The same for all tests that only read."""
    folder = Path(tempfile.mkdtemp(prefix="miniature-"))
    atexit.register(shutil.rmtree, folder)
    made = Repository(folder)
    made.git("init", "--quiet", "--initial-branch", "main", "--template", "")
    made.commit(
        {
            "shared_testing/pyproject.toml": pyproject("shared-testing"),
            ".gitignore": "__pycache__/\n",
            "hatch.toml": "",
            "README.md": "",
            **package("files"),
            **package("queue", needs="acme-files~=1.0"),
            **package("shop", extra="acme_queue[more]>=1.0"),
            **package("lonely", test="acme-shop"),
        }
    )
    return folder
