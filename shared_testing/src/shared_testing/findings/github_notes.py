"""Findings where a pull request is read: GitHub's workflow commands, which become notes beside the lines.

A runner of GitHub Actions reads them from what a step prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What would end a command, or one of its properties, is written as URLs write it.
_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = _IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def repository_of(environment: Mapping[str, str]) -> Path | None:
    """The checkout whose lines can be noted; None elsewhere than in GitHub Actions."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return None
    return Path(environment.get("GITHUB_WORKSPACE") or Path.cwd())


def notes_of(found: Iterable[tuple[str, list[dict[str, Any]]]], level: str, repository: Path) -> list[str]:
    """One ``::error file=...`` for each finding, given as the file of its test with plain data.

    What many tests have found at the same line is one note.
    """
    notes = [_note(test, finding, level, repository) for test, findings in found for finding in findings]
    return list(dict.fromkeys(notes))


def _note(test: str, finding: dict[str, Any], level: str, repository: Path) -> str:
    place = {"file": _relative(finding["path"] or test, repository)}
    if finding["line"]:
        place["line"] = str(finding["line"])
    place["title"] = f"{finding['code']} {finding['symptom']}"
    properties = ",".join(f"{name}={value.translate(_IN_PROPERTY)}" for name, value in place.items())
    told = [f"cause: {finding['cause']}", f"fix: {finding['fix']}", *finding["details"]]
    message = "\n".join(told).translate(_IN_MESSAGE)
    return f"::{level} {properties}::{message}"


def _relative(path: str, repository: Path) -> str:
    """GitHub knows files by their place in the repository."""
    try:
        return Path(path).resolve().relative_to(repository.resolve()).as_posix()
    except ValueError:
        return Path(path).as_posix()
