"""Can each package be released alone? Wheels against wheels, as they will meet in somebody's environment.

`hatch run contract:release` runs, each in an environment of its own, on built wheels and never on the checkout:

- {HEAD, last release} of user-export, with its own tests, on {HEAD, last release} of the services it imports;
- each package's suite on the lowest versions that its pyproject.toml declares, siblings included.

A release is a git tag such as task-queue-v1.2.0. Of a package without one HEAD stands in, and that is said.
Options: ``pairs`` or ``lowest`` runs only these; the name of a package only the lowest versions of that one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version
from projects import FOLDERS, ROOT, Project, export

UV = os.environ.get("HATCH_UV") or shutil.which("uv") or "uv"
APPLICATION = "user-export"

# What several packages prove together, with nothing but what is installed.
TOGETHER = ("test_sinks.py", "test_task_result_wire.py")


def run(*command: object, cwd: Path | None = None) -> None:
    """Raises CalledProcessError. The environment that this script runs in must not be taken for the command's."""
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    subprocess.run([str(each) for each in command], check=True, cwd=cwd, env=environment)


@dataclass(frozen=True)
class State:
    """One package at one moment: its tag, or HEAD with what is not committed yet."""

    folder: Path
    tag: str
    work: Path = field(compare=False)

    def __str__(self) -> str:
        return self.tag or f"{self.folder.name} HEAD"

    @cached_property
    def sources(self) -> Path:
        if not self.tag:
            return self.folder
        relative = self.folder.relative_to(ROOT).as_posix()
        target = self.work / self.tag
        export(self.tag, [relative], target)
        return target / relative

    @cached_property
    def metadata(self) -> dict[str, Any]:
        return tomllib.loads((self.sources / "pyproject.toml").read_text("utf-8"))

    @property
    def version(self) -> Version:
        return Version(self.metadata["project"]["version"])

    @cached_property
    def wheel(self) -> Path:
        out = self.work / "wheels" / (self.tag or f"{self.folder.name}-HEAD")
        run(UV, "build", "--quiet", "--wheel", "--out-dir", out, self.sources)
        (wheel,) = out.glob("*.whl")
        return wheel


class Compatibility:
    def __init__(self, work: Path) -> None:
        self.work = work
        self.head = {folder.name: State(folder, "", work) for folder in FOLDERS}
        self.failed: list[str] = []
        self._made = 0

    def last(self, name: str) -> State:
        """The last release; HEAD before the first."""
        tag, _ = Project(self.head[name].folder).last_release()
        return State(self.head[name].folder, tag, self.work) if tag else self.head[name]

    def released(self, name: str) -> list[State]:
        folder = self.head[name].folder
        return [State(folder, tag, self.work) for tag in Project(folder).releases()]

    # ------------------------------------------------------------ pairs

    def pairs(self) -> None:
        services = [name for name in self.head if name not in (APPLICATION, "shared_testing")]
        unreleased = [name for name in (APPLICATION, *services) if not self.last(name).tag]
        if unreleased:
            print(f"no release yet, so HEAD stands in: {', '.join(unreleased)}", flush=True)
        seen = set()
        for application in (self.head[APPLICATION], self.last(APPLICATION)):
            for provided in (
                {name: self.head[name] for name in services},
                {name: self.last(name) for name in services},
            ):
                pair = (application, *provided.values())
                if pair not in seen:
                    seen.add(pair)
                    self.pair(application, list(provided.values()))

    def pair(self, application: State, services: list[State]) -> None:
        wheels = [application.wheel, *(state.wheel for state in services)]
        python = self.environment()
        toolkit = (
            f"{self.head['shared_testing'].metadata['project']['name']}[http] @ {_url(self.head['shared_testing'])}"
        )
        run(UV, "pip", "install", "--quiet", "--python", python, *wheels, toolkit)
        title = f"{application} on {', '.join(map(str, services))}"
        self.test(title, python, application, together=True)

    # ------------------------------------------------------------ the lowest versions

    def lowest(self, name: str) -> None:
        state = self.head[name]
        groups = state.metadata.get("dependency-groups", {})
        needs = [*state.metadata["project"].get("dependencies", []), *groups.get("test", [])]
        extras = state.metadata["project"].get("optional-dependencies", {}).values()
        asked = [Requirement(each) for each in [*needs, *(need for several in extras for need in several)]]
        overrides = self.work / f"overrides-{name}.txt"
        with overrides.open("w") as file:
            for project, sibling in self.lowest_siblings(asked).items():
                wanted = ",".join(sorted({extra for each in asked if each.name == project for extra in each.extras}))
                file.write(f"{project}[{wanted}] @ {_url(sibling)}\n")
        python = self.environment()
        pyproject = state.folder / "pyproject.toml"
        run(
            *(UV, "pip", "install", "--quiet", "--python", python, "--resolution", "lowest-direct"),
            *("--override", overrides, "--all-extras", "-r", pyproject, "--group", f"{pyproject}:test"),
        )
        run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", state.wheel)
        self.test(f"{name} on the lowest versions that it declares", python, state)

    def lowest_siblings(self, needs: list[Requirement]) -> dict[str, State]:
        """Of ours, the oldest release that each requirement allows: never a stranger's of the same name."""
        ours = {state.metadata["project"]["name"]: name for name, state in self.head.items()}
        found: dict[str, State] = {}
        for need in needs:
            if need.name in ours and need.name not in found:
                states = [*self.released(ours[need.name]), self.head[ours[need.name]]]
                allowed = sorted(
                    (each for each in states if each.version in need.specifier), key=lambda each: each.version
                )
                if not allowed:
                    sys.exit(f"contract:release: nothing that we have satisfies {need}")
                # The toolkit is no part of what is shipped: it tests as it is today.
                found[need.name] = allowed[0] if ours[need.name] != "shared_testing" else self.head["shared_testing"]
                inner = [Requirement(each) for each in found[need.name].metadata["project"].get("dependencies", [])]
                found |= {name: state for name, state in self.lowest_siblings(inner).items() if name not in found}
        return found

    # ------------------------------------------------------------ what both do

    def environment(self) -> Path:
        """The Python of a new, empty environment."""
        self._made += 1
        folder = self.work / f"environment-{self._made}"
        run(UV, "venv", "--quiet", "--python", sys.executable, folder)
        return folder / "bin" / "python"

    def test(self, title: str, python: Path, state: State, *, together: bool = False) -> None:
        """Run its tests beside nothing of its sources, so that only what is installed can be imported."""
        print(f"== {title}", flush=True)
        stage = Path(tempfile.mkdtemp(dir=self.work))
        shutil.copy(ROOT / ".pytest.toml", stage)
        ignored = shutil.ignore_patterns("__pycache__")
        folder = state.folder.relative_to(ROOT)
        # The suites of the packages run scripts and examples that stand beside their tests.
        shutil.copytree(state.sources, stage / folder, ignore=shutil.ignore_patterns("__pycache__", "src", "dist"))
        targets = [f"{folder.as_posix()}/tests"]
        if together:
            shutil.copytree(ROOT / "tests", stage / "tests", ignore=ignored)
            shutil.copytree(ROOT / ".github", stage / ".github", ignore=ignored)
            (stage / "packages" / "task-queue").mkdir(parents=True)
            shutil.copy(ROOT / "packages" / "task-queue" / "pyproject.toml", stage / "packages" / "task-queue")
            targets += [f"tests/{name}" for name in TOGETHER]
        # pytest 9.0 reads a number in its TOML file as a mistake.
        options = ["-o", "faulthandler_timeout=300", "-o", "faulthandler_exit_on_timeout=true"]
        try:
            run(python, "-m", "pytest", "-q", "-pno:cacheprovider", *options, *targets, cwd=stage)
        except subprocess.CalledProcessError:
            self.failed.append(title)


def _url(state: State) -> str:
    return state.wheel.as_uri()


def main(words: list[str]) -> int:
    names = [folder.name for folder in FOLDERS]
    if unknown := set(words) - {"pairs", "lowest", *names}:
        sys.exit(f"contract:release: {', '.join(sorted(unknown))} is no package\n\n{__doc__}")
    with tempfile.TemporaryDirectory(prefix="compatibility-") as folder:
        compatibility = Compatibility(Path(folder))
        if not words or "pairs" in words:
            compatibility.pairs()
        for name in names:
            if not words or "lowest" in words or name in words:
                compatibility.lowest(name)
    for title in compatibility.failed:
        print(f"failed: {title}")
    return 1 if compatibility.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
