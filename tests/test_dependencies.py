"""Which distribution may import which: declared, and one way."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from distribution_prefix import prefix_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = [ROOT / "shared_testing", *sorted(file.parent for file in ROOT.glob("packages/*/pyproject.toml"))]
SERVICES = {project.name.replace("-", "_") for project in PROJECTS} - {"shared_testing", "user_export"}

by_name = pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)


def needs_of(project: Path) -> set[str]:
    """What it needs, for its extras too."""
    declared = metadata(project)
    extras = (need for needs in declared.get("optional-dependencies", {}).values() for need in needs)
    return {normalize(need) for need in (*declared.get("dependencies", []), *extras)}


def metadata(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All that a module contains but expressions, which import nothing."""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        for each in getattr(node, block, ()):
            yield each
            yield from statements(each)


@functools.cache
def imported(project: Path) -> dict[str, set[str]]:
    """The top-level modules that the sources of a project import, with the files that do."""
    found: dict[str, set[str]] = {}
    for file in (project / "src").rglob("*.py"):
        for node in statements(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(file.name)
    return found


@functools.cache
def distributions() -> Mapping[str, list[str]]:
    """Who provides each importable module. What is installed editable does not say it, so ours are added."""
    ours = {project.name.replace("-", "_"): [str(metadata(project)["name"])] for project in PROJECTS}
    return {**packages_distributions(), **ours}


def normalize(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


@by_name
def test_every_import_is_declared(project: Path) -> None:
    """A module that only happens to be installed today is missing in somebody's environment tomorrow."""
    allowed = {*needs_of(project), normalize(metadata(project)["name"])}
    owners = distributions()
    undeclared = {
        module: files
        for module, files in imported(project).items()
        if module not in sys.stdlib_module_names
        and not allowed & {normalize(name) for name in owners.get(module, [])}
        # What aiohttp itself is made of comes with it, and is part of its interface.
        and not (module in {"yarl", "multidict"} and "aiohttp" in allowed)
    }
    assert undeclared == {}


@by_name
def test_every_declared_dependency_is_imported(project: Path) -> None:
    """A requirement that nothing uses is a download, and a conflict, for nothing."""
    owners = distributions()
    used = {normalize(name) for module in imported(project) for name in owners.get(module, [])}
    assert [need for need in metadata(project).get("dependencies", []) if normalize(need) not in used] == []


@by_name
def test_services_know_nothing_of_the_toolkit(project: Path) -> None:
    """shared_testing is for tests: what goes into production runs without it."""
    if project.name != "shared_testing":
        assert "shared_testing" not in imported(project)


def test_the_toolkit_imports_no_service() -> None:
    """So that every service can be tested by it, alone."""
    assert SERVICES & set(imported(ROOT / "shared_testing")) == set()


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_services_import_each_other_only_by_declaration(service: str) -> None:
    """Two services that reached into each other could not be released one by one."""
    project = ROOT / "packages" / service.replace("_", "-")
    siblings = SERVICES & set(imported(project)) - {service}
    assert {f"{prefix_of()}-{each.replace('_', '-')}" for each in siblings} <= needs_of(project)
