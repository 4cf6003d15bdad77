"""Plant a fault for each check of `hatch run repo:check` in a copy, and see that it is noticed.

    hatch run repo:faults

A check that has never failed may be one that cannot. The exit code is 1 if a fault goes unnoticed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import repo_check
from projects import ROOT, export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEST, RELEASE, NIGHTLY = (f".github/workflows/{name}.yml" for name in ("test", "release", "nightly"))
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"


class Fault(NamedTuple):
    check: Callable[[Path], Iterator[str]]
    file: str
    old: str
    new: str
    noticed: str
    """What the complaint says."""


FAULTS = [
    Fault(repo_check.schemas, TEST, "    needs: plan\n", "    need: plan\n", "'need'"),
    Fault(repo_check.schemas, ".github/dependabot.yml", "interval: weekly", "interval: sometimes", "sometimes"),
    Fault(repo_check.schemas, ".github/ISSUE_TEMPLATE/bug.yml", "type: textarea", "type: text", "bug.yml"),
    Fault(repo_check.schemas, ".github/ISSUE_TEMPLATE/config.yml", "blank_issues", "issues", "config.yml"),
    Fault(repo_check.rights, TEST, "permissions: {}", "permissions: write-all", "excessive-permissions"),
    Fault(repo_check.schemas, TEST, "    timeout-minutes: 5\n", "", "timeout"),
    Fault(repo_check.rights, TEST, CHECKOUT, "actions/checkout@v7", "unpinned-uses"),
    Fault(repo_check.rights, TEST, "          persist-credentials: false\n", "", "artipacked"),
    Fault(repo_check.rights, NIGHTLY, '"$SEED"', '"${{ inputs.seed }}"', "template-injection"),
    Fault(repo_check.rights, TEST, "  pull_request:\n", "  pull_request_target:\n", "dangerous-triggers"),
    Fault(repo_check.rights, RELEASE, "enable-cache: false", "enable-cache: true", "cache-poisoning"),
    Fault(
        repo_check.rights, RELEASE, "          skip-existing: true\n", "          password: x\n", "trusted-publishing"
    ),
    Fault(repo_check.rights, ".github/dependabot.yml", "    cooldown:\n      default-days: 7\n", "", "cooldown"),
    Fault(repo_check.links, "README.md", "(packages/user-client)", "(packages/user-clint)", "packages/user-clint"),
    Fault(repo_check.licences, "shared_testing/LICENSE", "MIT", "BSD", "shared_testing/LICENSE"),
    Fault(repo_check.modes, "hatch.toml", "#", "#!", "hatch.toml is a script"),
]


def copy_to(folder: Path) -> None:
    export("HEAD", ["."], folder)
    # As it is now, committed or not.
    shutil.copytree(ROOT / ".github", folder / ".github", dirs_exist_ok=True)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)


def verdict(fault: Fault, folder: Path) -> str:
    """Why this fault counts against us; empty if the check has noticed it."""
    file = folder / fault.file
    original = file.read_text("utf-8")
    if fault.old not in original:
        return f"`{fault.old}` does not stand there: give repo_faults.py its new text"
    try:
        file.write_text(original.replace(fault.old, fault.new, 1), "utf-8")
        said = "\n".join(fault.check(folder))
    finally:
        file.write_text(original, "utf-8")
    return "" if fault.noticed in said else f"nobody noticed; {fault.check.__name__} said: {said or 'nothing'}"


def main() -> int:
    missed = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        copy_to(Path(name))
        for check in repo_check.CHECKS:
            if found := list(check(Path(name))):
                sys.exit(f"repo:faults: {check.__name__} fails without any fault: {found[0]}")
        for fault in FAULTS:
            if said := verdict(fault, Path(name)):
                missed += 1
                print(f"{fault.file}: {fault.new.strip() or f'without {fault.old.strip()}'}: {said}", file=sys.stderr)
    print(f"{len(FAULTS) - missed} of {len(FAULTS)} faults noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
