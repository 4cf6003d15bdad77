"""A new package from .github/template.

    hatch run new:service rate-limiter

It stands under packages/ when all of it is there, or not at all. What it promises is written down in tests/api/ in the
same moment; everything else in this repository finds a package by its folder.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api_lines import api_of
from distribution_prefix import prefix_of
from projects import ROOT, Project
from public_api import UNRELEASED, Snapshot
from service_name import api_file, check_name, module_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Render = Callable[[Path, Path, dict[str, str]], None]


@dataclass(frozen=True)
class Answers:
    """To the questions of the template's copier.yml."""

    name: str
    module: str
    service: str
    distribution: str
    toolkit: str
    licence: str
    pythons: str

    @classmethod
    def about(cls, name: str, root: Path) -> Answers:
        """What is the same in all packages is as the toolkit has it."""
        shared = Project(root / "shared_testing", root).pyproject["project"]
        return cls(
            name=name,
            module=module_of(name),
            service="".join(word.capitalize() for word in name.split("-")),
            distribution=f"{prefix_of(root)}-{name}",
            toolkit=shared["name"],
            licence=shared["license"],
            pythons=shared["requires-python"],
        )


def render(template: Path, target: Path, answers: dict[str, str]) -> None:
    # Imported here: what runs the tests of this script has no copier.
    from copier import run_copy  # type: ignore[import-not-found, unused-ignore]

    run_copy(str(template), target, data=answers, defaults=True, quiet=True)


def create(answers: Answers, root: Path, render: Render = render) -> None:
    """Make the package. Whatever ends this early, an interrupt too, leaves nothing behind."""
    target, record = root / "packages" / answers.name, api_file(answers.name, root)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=root) as stage:
        package, written = Path(stage, answers.name), Path(stage, record.name)
        render(root / ".github" / "template", package, asdict(answers))
        shutil.copy(root / "LICENSE", package)
        lines = api_of(package / "src" / answers.module)
        written.write_text(Snapshot(UNRELEASED, frozenset()).text(answers.name, lines), "utf-8")
        try:
            package.rename(target)
            written.rename(record)
        except BaseException:
            # Ours only what was moved: somebody else may have made one meanwhile.
            if not written.exists():
                record.unlink()
            if not package.exists():
                shutil.rmtree(target)
            raise


def main(arguments: list[str], root: Path = ROOT, render: Render = render) -> int:
    if len(arguments) != 1:
        given = f"{len(arguments)} names ({', '.join(arguments)})" if arguments else "no name"
        print(f"new:service takes one name and was given {given}: hatch run new:service rate-limiter", file=sys.stderr)
        return 2
    (name,) = arguments
    try:
        check_name(name, root)
        answers = Answers.about(name, root)
        create(answers, root, render)
    except ValueError as refused:
        print(f"new:service: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        # It may have come when all was done.
        made = "there, and whole" if api_file(name, root).exists() else "not there"
        print(f"new:service was interrupted: packages/{name} is {made}", file=sys.stderr)
        return 130
    print(f"packages/{name}: {answers.distribution}, imported as {answers.module}; its API: tests/api/{name}.txt")
    print(f"next: cd packages/{name} && hatch run test")
    return 0


if __name__ == "__main__":
    # What is ended politely tidies up, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
