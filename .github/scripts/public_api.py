"""Guard what each package promises: its public API, as it stands in tests/api/<package>.txt.

    hatch run contract:api              tell what differs
    hatch run contract:api --update     write it down

The first line of a file names the last released version. Lines that begin with "+ " are newer than that release, and
may be changed freely. The others were released: `--update` refuses to drop or change one of them, unless the version
in pyproject.toml says that it breaks (2.0.0 after 1.4.2; before 1.0.0, 0.2.0 after 0.1.3). A release is a git tag
such as task-queue-v1.2.0; from then on all lines that stood in the file at that tag are promised.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api_lines import api_of, subject
from projects import FOLDERS, ROOT, Project, git

if TYPE_CHECKING:
    from pathlib import Path

# What may be imported from besides the package itself.
MODULES = {"shared_testing": ("", "contracts.user_api", "exploration", "fixtures", "http")}

REFRESH = "hatch run contract:api --update"
UNRELEASED = "none"
NEW = "+ "


@dataclass(frozen=True)
class Snapshot:
    """What was written down: the last release, what it promised, and what came after it."""

    released: str
    promised: frozenset[str]
    newer: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        head, *lines = text.splitlines() or [UNRELEASED]
        newer = {line.removeprefix(NEW) for line in lines if line.startswith(NEW)}
        promised = {line for line in lines if not line.startswith(NEW)}
        return cls(head.rpartition(" ")[2], frozenset(promised), frozenset(newer))

    def released_as(self, version: str) -> Snapshot:
        return Snapshot(version, self.promised | self.newer)

    def broken_by(self, lines: list[str], version: str) -> list[str]:
        """The promises that these lines do not keep; none if the version says that it breaks some."""
        if self.released == UNRELEASED or breaking(version) > breaking(self.released):
            return []
        return sorted(line for line in self.promised.difference(lines) if not any(widens(line, now) for now in lines))

    def text(self, name: str, lines: list[str]) -> str:
        shown = [line if line in self.promised else NEW + line for line in lines]
        return "\n".join([f"# {name}, last release: {self.released}", *shown]) + "\n"


def breaking(version: str) -> tuple[int, ...]:
    """The part of a version that grows when a promise is broken."""
    numbers = [int(each) for each in re.findall(r"\d+", version)[:3]]
    return tuple(numbers[: 1 if numbers[0] else 2])


def widens(old: str, new: str) -> bool:
    """Whether `new` is the same function as `old` with more that may be given: every call of the old one works."""
    before, after = _function(old), _function(new)
    if before is None or after is None:
        return False
    now, then = after.args, before.args
    kept = [*now.posonlyargs, *now.args][: len(then.posonlyargs) + len(then.args)]
    more = len(now.posonlyargs) + len(now.args) - len(kept)
    added = {each.arg for each in now.kwonlyargs} - {each.arg for each in then.kwonlyargs}
    required = {each.arg for each, default in zip(now.kwonlyargs, now.kw_defaults, strict=True) if default is None}
    if more > len(now.defaults) or added & required:
        return False
    # Without what was added it must be the same to the letter.
    now.args = now.args[: len(now.args) - more]
    now.defaults = now.defaults[: len(now.defaults) - more]
    wanted = [
        (each, default) for each, default in zip(now.kwonlyargs, now.kw_defaults, strict=True) if each.arg not in added
    ]
    now.kwonlyargs, now.kw_defaults = [each for each, _ in wanted], [default for _, default in wanted]
    return ast.unparse(before) == ast.unparse(after) and _comment(old) == _comment(new)


def _function(line: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    code = re.sub(r"^((?:@\S+(?:\(.*?\))? )*)((?:async )?def )([\w.]+)", _as_python, line.partition("  # ")[0])
    try:
        (node,) = ast.parse(f"{code}: ...").body
    except (SyntaxError, ValueError):
        return None
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _as_python(match: re.Match[str]) -> str:
    return match[1].replace(" ", "\n") + match[2] + match[3].replace(".", "__of__")


def _comment(line: str) -> str:
    return line.partition("  # ")[2]


# ------------------------------------------------------------ the files


def file_of(folder: Path) -> Path:
    return ROOT / "tests" / "api" / f"{folder.name}.txt"


def lines_of(folder: Path) -> list[str]:
    module = folder.name.replace("-", "_")
    present = [each for each in MODULES.get(folder.name, ("",)) if _exists(folder / "src" / module, each)]
    return api_of(folder / "src" / module, present)


def _exists(package: Path, module: str) -> bool:
    path = package.joinpath(*module.split(".")) if module else package
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def version_of(folder: Path) -> str:
    return Project(folder).version


def recorded(folder: Path) -> Snapshot:
    """What is promised: all that the file held at the newest release's tag; without tags, what the file says."""
    tag, version = Project(folder).last_release()
    if tag and (at_release := git("show", f"{tag}:{file_of(folder).relative_to(ROOT).as_posix()}")):
        return Snapshot.parse(at_release).released_as(version)
    return Snapshot.parse(written(folder))


def written(folder: Path) -> str:
    file = file_of(folder)
    return file.read_text("utf-8") if file.exists() else ""


def complaint(name: str, snapshot: Snapshot, lines: list[str], version: str, text: str) -> str:
    """What is wrong, and what to do; empty if nothing is."""
    if broken := snapshot.broken_by(lines, version):
        needed = _next_breaking(snapshot.released)
        return "\n".join(
            [
                f"{name} {version} breaks what {snapshot.released} promised:",
                *(f"  - {line}" for line in broken),
                *(f"  + {line}" for line in _successors(broken, lines, snapshot)),
                f"keep it beside the new (and deprecate it), or raise the version in pyproject.toml to {needed},",
                f"tell it in CHANGELOG.md, and write it down: {REFRESH}",
            ]
        )
    before = Snapshot.parse(text)
    known = before.promised | before.newer
    if known == set(lines):
        return ""
    return "\n".join(
        [
            f"the public API of {name} is not as tests/api/{name}.txt says:",
            *(f"  - {line}" for line in sorted(known.difference(lines))),
            *(f"  + {line}" for line in lines if line not in known),
            f"nothing that was released breaks; if you mean it, write it down: {REFRESH}",
        ]
    )


def _successors(broken: list[str], lines: list[str], snapshot: Snapshot) -> list[str]:
    names = {subject(line) for line in broken}
    return [line for line in lines if line not in snapshot.promised and subject(line) in names]


def _next_breaking(version: str) -> str:
    numbers = breaking(version)
    return f"{numbers[0] + 1}.0.0" if len(numbers) == 1 else f"0.{numbers[1] + 1}.0"


def main(arguments: list[str]) -> int:
    if set(arguments) - {"--update"}:
        sys.exit(__doc__)
    failed = False
    for folder in FOLDERS:
        snapshot, lines, version = recorded(folder), lines_of(folder), version_of(folder)
        if "--update" in arguments and not snapshot.broken_by(lines, version):
            file_of(folder).write_text(snapshot.text(folder.name, lines), "utf-8")
        elif said := complaint(folder.name, snapshot, lines, version, written(folder)):
            print(said, file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
