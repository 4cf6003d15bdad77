"""Check what no suite runs: the files that GitHub reads, and what is easily broken across the repository.

    hatch run repo:check

Workflows, forms and Dependabot's file against their schemas; zizmor, pedantic, on what a workflow may do; the links
between the documents; one licence everywhere; and that what is meant to be run can be. Nothing needs the network.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote

from project_files import files
from projects import ROOT, read_projects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCHEMAS = {
    "vendor.github-workflows": ".github/workflows/*.y*ml",
    "custom.github-workflows-require-timeout": ".github/workflows/*.y*ml",
    "vendor.dependabot": ".github/dependabot.yml",
    "vendor.github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "vendor.github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
}

_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def run(*command: str, root: Path) -> Iterator[str]:
    """What it said, if it failed."""
    plain = {**os.environ, "NO_COLOR": "1"}
    ran = subprocess.run(command, cwd=root, env=plain, capture_output=True, text=True, check=False)
    if ran.returncode:
        yield f"{' '.join(command)}\n{ran.stdout}{ran.stderr}"


def schemas(root: Path) -> Iterator[str]:
    for schema, pattern in SCHEMAS.items():
        found = sorted(str(file.relative_to(root)) for file in root.glob(pattern))
        if found:
            yield from run("check-jsonschema", "--builtin-schema", schema, *found, root=root)


def rights(root: Path) -> Iterator[str]:
    yield from run("zizmor", "--offline", "--no-progress", "--pedantic", "--quiet", ".github", root=root)


def links(root: Path) -> Iterator[str]:
    """Those from a document to a file of this repository."""
    for file in files(root):
        if file.suffix == ".md":
            name = file.relative_to(root).as_posix()
            text = _CODE.sub("", file.read_text("utf-8"))
            for target in _LINK.findall(text):
                path = unquote(target.partition("#")[0])
                if path and not re.match(r"[a-z]+:", path) and not file.parent.joinpath(path).exists():
                    yield f"{name}: the link {target} leads nowhere; what it names is not there"


def licences(root: Path) -> Iterator[str]:
    """Each distribution carries a copy: an sdist holds nothing from above its folder."""
    for project in read_projects(root):
        if (project.folder / "LICENSE").read_bytes() != (root / "LICENSE").read_bytes():
            yield f"{project.path}/LICENSE is not the LICENSE of the repository; copy that"


def modes(root: Path) -> Iterator[str]:
    """What begins with #! can be run, and nothing else is marked as if it could."""
    for file in files(root):
        name = file.relative_to(root).as_posix()
        is_script = file.read_bytes()[:2] == b"#!"
        if is_script != os.access(file, os.X_OK):
            yield f"{name} {'is a script: chmod +x' if is_script else 'is no script: chmod -x'} {name}"


CHECKS: tuple[Callable[[Path], Iterator[str]], ...] = (schemas, rights, links, licences, modes)


def main() -> int:
    failed = False
    for check in CHECKS:
        found = list(check(ROOT))
        failed |= bool(found)
        print(f"{check.__name__}: {'fails' if found else 'in order'}", flush=True)
        for complaint in found:
            print(complaint, file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
