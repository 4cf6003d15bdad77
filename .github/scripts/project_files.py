"""Which files are the project's own. Standard library only."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What no project keeps, where there is no git to say so.
_PASSED_OVER = re.compile(
    r"\.git|\.venv|\.new-.*|\..*_cache|\.hypothesis|__pycache__|dist|out|node_modules|.*\.egg-info"
)


def files(root: Path) -> list[Path]:
    """All that belongs to the project: what git tracks, or would; without git, what is not made anew anyway."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.split(b"\0")
    except (OSError, subprocess.CalledProcessError):
        listed = []
    found = {root / os.fsdecode(each) for each in listed if each}
    # A folder that lies in a stranger's repository, and is ignored there, is none of git's.
    if root / "hatch.toml" not in found:
        found = {Path(folder, name) for folder, _, names in _walk(root) for name in names}
    return sorted(file for file in found if file.is_file() and not file.is_symlink())


def _walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, folders, names in os.walk(root):
        folders[:] = [each for each in folders if not _PASSED_OVER.fullmatch(each)]
        yield folder, folders, names
