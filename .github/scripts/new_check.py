"""Proves that this repository can be started from: `hatch run new:check`.

In a copy of it, new:service makes a package, and without an edit its suite, its suite on the wheel, lint, types and the
contract suite are green; then new:prefix renames the distributions, and the suites are green again. What it prints are
those commands, with their seconds; the first that fails is shown whole, and ends it with exit code 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from project_files import files
from projects import ROOT, read_projects

NAME = "rate-limiter"

# The shortest and the longest that there may be: no line of the template is too long for it, or would fit otherwise.
OTHERS = ("x", "z" * 30)

PREFIX = "acme"

# A README's promise: what each package carries, and not one line that the next one would copy.
LINES = 22


def main(arguments: list[str]) -> int:
    if arguments:
        sys.exit(f"new:check takes no argument\n\n{__doc__}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="new-check-") as folder:
        # Resolved, as Hatch compares paths by their letters.
        work = Path(folder).resolve()
        copy = Copy(copy_to(work / "repository"), work / "hatch")
        try:
            scaffold(copy)
            print(f"from the command to green: {time.monotonic() - began:.0f} s", flush=True)
            rename(copy)
        except Failed as failed:
            print(failed, file=sys.stderr)
            return 1
    return 0


def scaffold(copy: Copy) -> None:
    package = f"packages/{NAME}"
    copy.run("hatch run new:service", NAME)
    lines = (copy.root / package / "pyproject.toml").read_text("utf-8").count("\n")
    if lines > LINES:
        raise Failed(f"new:check: {package}/pyproject.toml has {lines} lines; a package carries {LINES} at most")
    copy.run("hatch run test -q", folder=package)
    copy.run("hatch run wheel:test -q", folder=package)
    for other in OTHERS:
        copy.run("hatch run new:service", other)
    copy.run("hatch run lint")
    copy.run("hatch run types")
    copy.run("hatch run test -q tests packages/" + NAME)


def rename(copy: Copy) -> None:
    copy.run("hatch run new:prefix", PREFIX)
    if kept := [each.name for each in read_projects(copy.root) if not each.name.startswith(f"{PREFIX}-")]:
        raise Failed(f"new:check: {', '.join(kept)} did not get the prefix {PREFIX}")
    if "nothing to do" not in copy.run("hatch run new:prefix", PREFIX):
        raise Failed("new:check: new:prefix found something to do a second time")
    # Shorter names let some lines fit that were broken.
    copy.run("hatch run ruff format --quiet")
    copy.run("hatch run lint")
    copy.run("hatch run test -q tests packages/" + NAME)
    copy.run("hatch run test -q", folder=f"packages/{NAME}")


class Failed(Exception):
    """What was not as it should be."""


class Copy:
    """The repository in another folder, with Hatch environments of its own."""

    def __init__(self, root: Path, environments: Path) -> None:
        self.root = root
        # A hatch that is started by a hatch script would take the outer environment for its own.
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("HATCH_ENV")}
        # mypy runs in each package, and would read the standard library anew in each.
        self.environment |= {"HATCH_DATA_DIR": str(environments), "MYPY_CACHE_DIR": str(environments / "mypy")}

    def run(self, command: str, *words: str, folder: str = "") -> str:
        """What it prints. Raises :exc:`Failed` with that, where it fails."""
        line = " ".join([command, *words])
        print(f"{folder or '.'}: {line}", end="", flush=True)
        began = time.monotonic()
        done = subprocess.run(
            [*command.split(), *words],
            cwd=self.root / folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(f"  {time.monotonic() - began:.1f} s", flush=True)
        if done.returncode:
            raise Failed(f"{done.stdout}\nnew:check: `{line}` in {folder or 'the root'} ended with {done.returncode}")
        return done.stdout


def copy_to(target: Path) -> Path:
    """What is committed, or not yet, but nothing that git ignores."""
    for file in files(ROOT):
        copied = target / file.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copied)
    return target


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
