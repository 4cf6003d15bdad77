"""Hatch environment collector: every package gets the environments of the root hatch.toml.

A package opts in with two lines of its pyproject.toml::

    [tool.hatch.env.collectors.custom]
    path = "../../shared_testing/hatch_envs.py"

It then has each ``[shared.envs.*]`` table, with what its ``[dependency-groups] test`` names. The
toolkit and the sibling packages that it depends on come from this checkout, editable, and never
from an index. Nothing of that reaches the metadata of its wheel. What the package writes in its
own ``[tool.hatch.envs.*]`` wins. The root itself gets every package.
"""

from __future__ import annotations

import os
import re
import sys
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from hatch.env.collectors.plugin.interface import EnvironmentCollectorInterface
from hatch.utils.toml import load_toml_file
from python_discovery import get_interpreter

REPOSITORY = Path(__file__).resolve().parent.parent
TOOLKIT = REPOSITORY / "shared_testing"

# The environments that hatch builds for `hatch test` and `hatch check types` do not inherit from the default one.
INSTALLING = ("default", "hatch-test", "hatch-check-types")


class SharedEnvironments(EnvironmentCollectorInterface):
    """Completes each project's environments with the shared ones and the local packages they need."""

    def finalize_config(self, config: dict[str, dict[str, Any]]) -> None:
        projects = {project.name: project for project in read_projects()}
        here = Path(self.root).resolve()
        if here == REPOSITORY:
            siblings, tested = [], list(projects.values())
        else:
            for name, shared in load_toml_file(str(REPOSITORY / "hatch.toml"))["shared"]["envs"].items():
                complete(config.setdefault(name, {}), deepcopy(shared))
            # Looking for interpreters takes half a second: only a command that names the environment pays.
            if any(re.search(r"\ball\b", argument) for argument in sys.argv[1:]):
                keep_present_pythons(config["all"])
            tested = [project for project in projects.values() if project.folder == here]
            siblings = [project for project in needed_by(tested, projects) if project.folder != TOOLKIT]

        wanted = [requirement for project in tested for requirement in project.test]
        if here != REPOSITORY and "pytest-xdist" in map(normalize, wanted):
            scripts = config["default"]["scripts"]
            scripts["test"] = scripts["spread"]
        members = [
            {"path": os.fspath(project.folder), "features": extras_of(project.name, wanted)}
            for project in projects.values()
            if here == REPOSITORY or (project.folder != here and (project in siblings or project.folder == TOOLKIT))
        ]
        for name in INSTALLING:
            environment = config[name]
            environment.setdefault("workspace", {}).setdefault("members", members)
            own = environment.setdefault("dependencies", [])
            own += [each for each in wanted if normalize(each) not in projects and each not in own]
            if siblings:
                # Hatch installs a package before its workspace members, so without this the
                # siblings would first be looked up on the index.
                paths = " ".join(f'--editable "{project.folder}"' for project in siblings)
                environment.setdefault("pre-install-commands", [f"{{env:HATCH_UV}} pip install --quiet {paths}"])


# Not a dataclass: hatch executes this file without entering it in sys.modules, where dataclasses look.
class Project(NamedTuple):
    name: str
    folder: Path
    needs: tuple[str, ...]
    test: tuple[str, ...]


def read_projects() -> list[Project]:
    found = []
    for file in [TOOLKIT / "pyproject.toml", *sorted(REPOSITORY.glob("packages/*/pyproject.toml"))]:
        metadata = load_toml_file(str(file))
        project = metadata["project"]
        needs = [*project.get("dependencies", []), *chain(*project.get("optional-dependencies", {}).values())]
        test = metadata.get("dependency-groups", {}).get("test", [])
        found.append(Project(normalize(project["name"]), file.parent, tuple(map(normalize, needs)), tuple(test)))
    return found


def needed_by(start: list[Project], projects: dict[str, Project]) -> list[Project]:
    """The projects of this repository that these need, directly or not."""
    found: set[str] = set()
    todo = [name for project in start for name in (*project.needs, *map(normalize, project.test))]
    while todo:
        name = todo.pop()
        if name in projects and name not in found:
            found.add(name)
            todo += projects[name].needs
    return [projects[name] for name in sorted(found)]


def keep_present_pythons(environment: dict[str, Any]) -> None:
    """Drop the Pythons that this machine lacks from a matrix: Hatch would end the whole run at the first."""
    for row in environment["matrix"]:
        row["python"] = [version for version in row["python"] if get_interpreter(version, ()) is not None]


def extras_of(name: str, requirements: list[str]) -> list[str]:
    """The extras of that distribution which the requirements ask for, as in ``name[http]``."""
    asked = [re.search(r"\[([^]]*)\]", each) for each in requirements if normalize(each) == name]
    return sorted({extra.strip() for match in asked if match for extra in match[1].split(",")})


def normalize(requirement: str) -> str:
    """The distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement.strip())[0]).lower()


def complete(own: dict[str, Any], shared: dict[str, Any]) -> None:
    for key, value in shared.items():
        if isinstance(value, dict) and isinstance(own.get(key), dict):
            complete(own[key], value)
        else:
            own.setdefault(key, value)
