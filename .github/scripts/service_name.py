"""What the name of a new service may not be: no name at all, taken, or the name of what others import."""

from __future__ import annotations

import keyword
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from distribution_prefix import prefix_of
from projects import read_projects

if TYPE_CHECKING:
    from collections.abc import Iterator

# Lower-case words joined by hyphens: of those a folder, a module, a class and an index can all make a name.
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

# So that the template's lines, which hold the name three times, end before the 120th column.
LONGEST = 30

# Where Hatch keeps the environments of this repository; this script runs in one of them.
ENVIRONMENTS = Path(sys.prefix).parent


class Refused(ValueError):
    """Nothing can be made of what was given; the message is for whoever gave it."""


def check_name(name: str, root: Path, environments: Path = ENVIRONMENTS) -> None:
    """Raises :exc:`Refused`, with the cause and what to do."""
    if why := _malformed(name, root) or _taken(name, root) or _ambiguous(module_of(name), root, environments):
        raise Refused(f"{name!r} cannot be the name of a service: {why}")


def module_of(name: str) -> str:
    return name.replace("-", "_")


def api_file(name: str, root: Path) -> Path:
    return root / "tests" / "api" / f"{name}.txt"


def _malformed(name: str, root: Path) -> str:
    if not NAME.fullmatch(name):
        words = "-".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("0123456789-")
        like = f"; {words}, say" if NAME.fullmatch(words) else ""
        return f"it takes lower-case letters and digits, a letter first, and hyphens between words{like}"
    if len(name) > LONGEST:
        return f"it has {len(name)} characters, and {LONGEST} are enough; shorten it"
    prefix = f"{prefix_of(root)}-"
    if name.startswith(prefix):
        return f"the prefix is put before it anyway; leave it out: {name.removeprefix(prefix)}"
    return ""


def _taken(name: str, root: Path) -> str:
    for path in (root / "packages" / name, api_file(name, root)):
        if path.exists():
            return f"{path.relative_to(root).as_posix()} is there already; take another, or remove that first"
    return ""


def _ambiguous(module: str, root: Path, environments: Path) -> str:
    """Why `import <module>` would fail, or find something else."""
    if keyword.iskeyword(module):
        return f"{module} is a keyword of Python, and cannot be imported; add a word"
    if module in sys.stdlib_module_names:
        return f"the standard library has a module {module}; add a word"
    # The scripts lie on the path of every test run, before all else.
    for file in chain(*map(root.glob, ("shared_testing/src/*", "packages/*/src/*", ".github/scripts/*.py"))):
        if file.stem == module:
            return f"{file.relative_to(root).as_posix()} is imported as {module}; add a word"
    for file, requirement in _requirements(root):
        if module_of(re.split(r"[^\w.-]", requirement.lower(), maxsplit=1)[0]) == module:
            return f"{file.relative_to(root).as_posix()} asks for {requirement}, which has that name; add a word"
    # Other distributions are imported by another name than their own, or come along with what was asked for.
    for folder in sorted(environments.glob("*/lib/python*/site-packages")):
        if (folder / module).is_dir() or any(folder.glob(f"{module}.*")):
            return f"{folder / module} is there: something that is installed here has that name; add a word"
    return ""


def _requirements(root: Path) -> Iterator[tuple[Path, str]]:
    hatch = root / "hatch.toml"
    for environment in tomllib.loads(hatch.read_text("utf-8"))["envs"].values():
        yield from ((hatch, each) for each in environment.get("dependencies", []))
    for project in read_projects(root):
        metadata = project.pyproject
        tables = [metadata["project"].get("optional-dependencies", {}), metadata.get("dependency-groups", {})]
        several = [metadata["project"].get("dependencies", []), *(each for table in tables for each in table.values())]
        yield from ((project.folder / "pyproject.toml", each) for requirements in several for each in requirements)
