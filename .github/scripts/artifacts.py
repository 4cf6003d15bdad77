"""Build what would be uploaded, and look at it: the same bytes twice, complete, and fit for the index.

    hatch run release:build                  every package
    hatch run release:build task-queue       that one

Builds what is committed, in two folders that hold nothing else.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email import message_from_string
from pathlib import Path
from typing import TYPE_CHECKING

from projects import ROOT, export, normalize, read_projects
from releases import Unknown, find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from projects import Project

UV = os.environ.get("HATCH_UV") or shutil.which("uv") or "uv"

# What differs between two machines, and must leave no trace in what they build.
MACHINES = (
    {"TZ": "UTC", "PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8"},
    {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "2", "LC_ALL": "C"},
)
UMASKS = (0o022, 0o077)


class BuildFailed(Exception):
    """The text is what the builder said."""


def build_twice(project: Project, work: Path) -> list[Path]:
    """The folders of two builds of what is committed."""
    outs = []
    for number, (machine, umask) in enumerate(zip(MACHINES, UMASKS, strict=True)):
        tree = work / f"tree-{number}"
        tree.mkdir()
        outs.append(build(project, tree, work / f"out-{number}", machine, umask))
    return outs


def build(project: Project, tree: Path, out: Path, machine: dict[str, str], umask: int) -> Path:
    # The builder leaves out what git ignores, by the .gitignore of the repository.
    export("HEAD", [".gitignore", project.path], tree, project.root)
    command = [UV, "build", "--quiet", "--out-dir", str(out), str(tree / project.path)]
    environment = {key: value for key, value in os.environ.items() if key not in ("SOURCE_DATE_EPOCH", "VIRTUAL_ENV")}
    ran = subprocess.run(command, env=environment | machine, umask=umask, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise BuildFailed(f"{project.path} cannot be built:\n{ran.stderr}")
    return out


def files_of(out: Path) -> dict[str, str]:
    """{name: sha256}"""
    built = sorted([*out.glob("*.whl"), *out.glob("*.tar.gz")])
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in built}


def differences(one: Path, other: Path) -> list[str]:
    """The names of files that are not the same in both, and of what is in them that is not."""
    before, after = files_of(one), files_of(other)
    found = [f"{name} was built only once" for name in sorted(before.keys() ^ after.keys())]
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            inside, then = members(one / name), members(other / name)
            differ = sorted(each for each in inside.keys() | then.keys() if inside.get(each) != then.get(each))
            found.append(f"{name}: {', '.join(differ) or 'the order or the times of its members'}")
    return found


def members(archive: Path) -> dict[str, tuple[int, bytes]]:
    """What an sdist or a wheel holds: {path: (mode, content)}"""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {each.filename: (each.external_attr >> 16, wheel.read(each)) for each in wheel.infolist()}
    with tarfile.open(archive) as sdist:
        files = [(each, sdist.extractfile(each)) for each in sdist.getmembers()]
        return {each.name: (each.mode, content.read()) for each, content in files if content is not None}


# ------------------------------------------------------------ what is inside


def complaints(project: Project, out: Path, toolkit: str) -> list[str]:
    """What the index would refuse, or its users would miss. `toolkit` is the distribution that only tests may need."""
    stem = f"{project.distribution.replace('-', '_')}-{project.version}"
    wanted = {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz"}
    if set(files_of(out)) != wanted:
        return [f"{project.path} builds {', '.join(files_of(out)) or 'nothing'}, and not {', '.join(sorted(wanted))}"]
    wheel = {path: content for path, (_, content) in members(out / f"{stem}-py3-none-any.whl").items()}
    sdist = {path.partition("/")[2] for path in members(out / f"{stem}.tar.gz")}
    return [*_of_wheel(project, stem, wheel, toolkit), *_of_sdist(project, sdist), *_of_twine(out)]


def _of_wheel(project: Project, stem: str, wheel: dict[str, bytes], toolkit: str) -> Iterator[str]:
    module, information = project.folder.name.replace("-", "_"), f"{stem}.dist-info"
    for needed, why in {
        f"{module}/__init__.py": "there is nothing to import",
        f"{module}/py.typed": "type checkers would ignore its types",
        f"{information}/licenses/LICENSE": "nobody may use it; name it in license-files",
    }.items():
        if needed not in wheel:
            yield f"{project.path}: its wheel lacks {needed}: {why}"
    for stray in sorted({path.partition("/")[0] for path in wheel} - {module, information}):
        yield f"{project.path}: its wheel would install {stray} beside {module}; see [tool.hatch.build.targets.wheel]"
    metadata = message_from_string(wheel[f"{information}/METADATA"].decode())
    for field in ("License-Expression", "Requires-Python", "Summary", "Description-Content-Type"):
        if not metadata[field]:
            yield f"{project.path}: its metadata lacks {field}; add it to [project] in pyproject.toml"
    for need in metadata.get_all("Requires-Dist", []):
        if normalize(need) == toolkit:
            yield f"{project.path}: its wheel needs {need}, which is for tests; put it in [dependency-groups] test"
        elif re.search(r"\s@\s", need):
            yield f"{project.path}: its wheel needs {need}, and the index takes no address; name a version"


def _of_sdist(project: Project, sdist: set[str]) -> Iterator[str]:
    for needed in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "PKG-INFO"):
        if needed not in sdist:
            yield f"{project.path}: its sdist lacks {needed}"
    if not any(path.startswith("tests/") for path in sdist):
        yield f"{project.path}: its sdist lacks its tests, which packagers run"


def _of_twine(out: Path) -> Iterator[str]:
    """Whether the index would take the metadata, and show the README."""
    command = [
        sys.executable,
        "-m",
        "twine",
        "--no-color",
        "check",
        "--strict",
        *(str(out / name) for name in files_of(out)),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        yield f"twine check:\n{ran.stdout}{ran.stderr}"


# ------------------------------------------------------------ the command


def checked(project: Project, work: Path, toolkit: str) -> tuple[Path, list[str]]:
    """The first of two builds, and what is wrong with it."""
    one, other = build_twice(project, work)
    found = [f"{project.path} is built differently on two machines: {each}" for each in differences(one, other)]
    return one, [*found, *complaints(project, one, toolkit)]


def main(words: list[str]) -> int:
    projects = read_projects()
    failed = False
    try:
        chosen = [find(word, projects) for word in words] or projects
        for project in chosen:
            with tempfile.TemporaryDirectory(prefix="artifacts-") as folder:
                out, found = checked(project, Path(folder), toolkit_of(projects))
                for name, digest in files_of(out).items():
                    print(f"{digest}  {name}", flush=True)
            for complaint in found:
                print(f"release:build: {complaint}", file=sys.stderr)
            failed |= bool(found)
    except (BuildFailed, Unknown) as error:
        sys.exit(f"release:build: {error}")
    return 1 if failed else 0


def toolkit_of(projects: list[Project]) -> str:
    return next(each.distribution for each in projects if each.folder == ROOT / "shared_testing")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
