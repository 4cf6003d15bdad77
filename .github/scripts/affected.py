"""What can a change break? The packages that it touches, and all that need one of them, directly or not.

    affected.py BASE [--output FILE]     as JSON: the folders whose suites must run for the changes since BASE

With --output the line `packages=[...]` is added to that file, as a step of a workflow hands it to later jobs. The suite
across the packages, and the checks of the whole, are not part of this: they run for every change.

Standard library only, for it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path, PurePosixPath

from projects import ROOT, Project, normalize, read_projects


def changed_files(base: str, root: Path = ROOT) -> list[str] | None:
    """None if it cannot be known: a branch's first push names no commit, and a forced one a commit that is gone."""
    # Without renames, for a file that was moved is also missing where it was; -z, for git quotes what is not ASCII.
    command = ["git", "-C", str(root), "diff", "--name-only", "--no-renames", "-z", "--merge-base", base, "HEAD", "--"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        print(f"affected: everything, since git knows no way from {base or 'nothing'}: {ran.stderr}", file=sys.stderr)
        return None
    return [file for file in ran.stdout.split("\0") if file]


def affected(changed: list[str] | None, projects: list[Project]) -> list[str]:
    """The folders of the projects that these changes can break."""
    hit: set[str] = set()
    for file in changed or []:
        owner = next((project for project in projects if file.startswith(f"{project.path}/")), None)
        if owner is not None and owner.path != "shared_testing":
            hit.add(owner.distribution)
        elif owner is not None or not is_prose(file):
            changed = None
            break
    if changed is None:
        return [project.path for project in projects]
    while more := {project.distribution for project in projects if needs(project) & hit} - hit:
        hit |= more
    return [project.path for project in projects if project.distribution in hit]


def is_prose(file: str) -> bool:
    """Whether it is only read, outside the packages; what it shows is run by the suite across them."""
    return PurePosixPath(file).suffix == ".md" or file.startswith(".github/ISSUE_TEMPLATE/")


def needs(project: Project) -> set[str]:
    return {normalize(each) for each in (*project.requirements, *project.test_requirements)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("--output", type=Path, help="a file to add the line `packages=[...]` to")
    options = parser.parse_args(arguments)
    folders = json.dumps(affected(changed_files(options.base), read_projects()))
    print(folders)
    if options.output:
        with options.output.open("a", encoding="utf-8") as file:
            file.write(f"packages={folders}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
