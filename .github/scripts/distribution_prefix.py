"""The prefix that this repository's distributions carry.

Distributions are named ``<prefix>-<folder>``; folders and import names have no prefix.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOLKIT = "shared-testing"


def projects(root: Path = ROOT) -> list[Path]:
    """The folders of the distributions."""
    return [root / "shared_testing", *sorted(file.parent for file in root.glob("packages/*/pyproject.toml"))]


def metadata_of(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    return found


def name_of(project: Path) -> str:
    return str(metadata_of(project)["project"]["name"])


def prefix_of(root: Path = ROOT) -> str:
    """What every name begins with, without the hyphen. The toolkit's name is the one that decides.

    Raises ``ValueError`` if somebody has given that one another end.
    """
    name = name_of(root / "shared_testing")
    if not name.endswith(f"-{TOOLKIT}"):
        raise ValueError(f"shared_testing/pyproject.toml has the name {name!r}; it is the prefix and -{TOOLKIT}")
    return name.removesuffix(f"-{TOOLKIT}")
