"""The prefix that this repository's distributions carry.

Distributions are named ``<prefix>-<folder>``; folders and import names have no prefix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from projects import ROOT, Project

if TYPE_CHECKING:
    from pathlib import Path

TOOLKIT = "shared-testing"


def prefix_of(root: Path = ROOT) -> str:
    """What every name begins with, without the hyphen. The toolkit's name is the one that decides.

    Raises ``ValueError`` if somebody has given that one another end.
    """
    name = Project(root / "shared_testing", root).name
    if not name.endswith(f"-{TOOLKIT}"):
        raise ValueError(f"shared_testing/pyproject.toml has the name {name!r}; it is the prefix and -{TOOLKIT}")
    return name.removesuffix(f"-{TOOLKIT}")
