"""A new package is there whole or not at all, under a name that nobody else has.

What copier makes of the template is tried by `hatch run new:check`, which can wait for environments.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import new_service
import pytest
from miniature import Repository
from service_name import Refused, check_name

if TYPE_CHECKING:
    from collections.abc import Callable

    Files = Callable[[Path], dict[str, str]]

ROOT = Path(__file__).resolve().parents[3]


TOOLKIT = """
[project]
name = "house-shared-testing"
version = "0.1.0"
license = "MIT"
requires-python = ">=3.11"
dependencies = ["pytest>=9"]

[project.optional-dependencies]
http = ["aiohttp>=3.11"]
"""

QUEUE = """
[project]
name = "house-queue"
version = "0.1.0"
dependencies = []

[dependency-groups]
test = ["house-shared-testing[http]", "pytest-timeout"]
"""

FILES = {
    "hatch.toml": '[envs.default]\ndependencies = ["mypy~=2.4"]\n',
    "LICENSE": "Copyright (c) the house authors\n",
    "shared_testing/pyproject.toml": TOOLKIT,
    "shared_testing/src/shared_testing/__init__.py": "",
    "packages/queue/pyproject.toml": QUEUE,
    "packages/queue/src/task_queue/__init__.py": "",
    "tests/api/queue.txt": "# queue, last release: none\n",
    ".github/scripts/release.py": "",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small one, built like ours, whose prefix is ``house``; git knows nothing of it."""
    made = Repository(tmp_path / "repository")
    made.write(FILES)
    return made.root


@pytest.fixture
def contents() -> Files:
    """``contents(folder)``: the text of each file below it."""
    return lambda folder: {
        file.relative_to(folder).as_posix(): file.read_text("utf-8") for file in folder.rglob("*") if file.is_file()
    }


def render(template: Path, target: Path, answers: dict[str, str]) -> None:
    """In copier's place."""
    module = target / "src" / answers["module"]
    module.mkdir(parents=True)
    (module / "__init__.py").write_text(f'__all__ = ["{answers["service"]}"]\nclass {answers["service"]}: ...\n')
    (target / "answers").write_text("\n".join(answers.values()))


def test_a_package_comes_with_licence_and_written_api(
    repository: Path, contents: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """What all packages share is as the repository has it: the prefix, the licence, the Pythons."""
    before = contents(repository)
    assert new_service.main(["rate-limiter"], repository, render) == 0
    after = contents(repository)
    assert {name: after[name] for name in before} == before
    assert {name: text for name, text in after.items() if name not in before} == {
        "packages/rate-limiter/LICENSE": before["LICENSE"],
        "packages/rate-limiter/answers": (
            "rate-limiter\nrate_limiter\nRateLimiter\nhouse-rate-limiter\nhouse-shared-testing\nMIT\n>=3.11"
        ),
        "packages/rate-limiter/src/rate_limiter/__init__.py": '__all__ = ["RateLimiter"]\nclass RateLimiter: ...\n',
        "tests/api/rate-limiter.txt": (
            "# rate-limiter, last release: none\n+ class RateLimiter()\n+ export RateLimiter\n"
        ),
    }
    assert capsys.readouterr().out == (
        "packages/rate-limiter: house-rate-limiter, imported as rate_limiter; its API: tests/api/rate-limiter.txt\n"
        "next: cd packages/rate-limiter && hatch run test\n"
    )


def test_every_question_of_the_template_is_answered() -> None:
    """And no other: copier would ask, or leave a hole."""
    asked = re.findall(r"(?m)^([a-z]\w*):", (ROOT / ".github" / "template" / "copier.yml").read_text("utf-8"))
    assert asked == list(new_service.Answers.__dataclass_fields__)


SHAPE = "it takes lower-case letters and digits, a letter first, and hyphens between words"
BAD = {
    "": SHAPE,
    "-": SHAPE,
    "é": SHAPE,
    "Bad_Name": f"{SHAPE}; bad-name, say",
    "9lives": f"{SHAPE}; lives, say",
    "two words": f"{SHAPE}; two-words, say",
    "../../etc/x": f"{SHAPE}; etc-x, say",
    "a--b": f"{SHAPE}; a-b, say",
    "a-": f"{SHAPE}; a, say",
    "line\n": f"{SHAPE}; line, say",
    "z" * 31: "it has 31 characters, and 30 are enough; shorten it",
    "house-limiter": "the prefix is put before it anyway; leave it out: limiter",
    "task-queue": "packages/queue/src/task_queue is imported as task_queue; add a word",
    "queue": "packages/queue is there already; take another, or remove that first",
    "shared-testing": "shared_testing/src/shared_testing is imported as shared_testing; add a word",
    "class": "class is a keyword of Python, and cannot be imported; add a word",
    "json": "the standard library has a module json; add a word",
    "release": ".github/scripts/release.py is imported as release; add a word",
    "aiohttp": "shared_testing/pyproject.toml asks for aiohttp>=3.11, which has that name; add a word",
    "pytest-timeout": "packages/queue/pyproject.toml asks for pytest-timeout, which has that name; add a word",
    "mypy": "hatch.toml asks for mypy~=2.4, which has that name; add a word",
}


@pytest.mark.parametrize(("name", "why"), BAD.items(), ids=map(repr, BAD))
def test_a_bad_name_is_refused_with_the_cause_and_the_next_step(
    name: str, why: str, repository: Path, contents: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and nothing is written."""
    before = contents(repository)
    assert new_service.main([name], repository, render) == 2
    assert capsys.readouterr().err == f"new:service: {name!r} cannot be the name of a service: {why}\n"
    assert contents(repository) == before


@pytest.mark.parametrize(
    ("names", "given"), [([], "no name"), (["rate", "limiter"], "2 names (rate, limiter)")], ids=["none", "two"]
)
def test_it_takes_one_name(names: list[str], given: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever gave another number reads how it is written."""
    assert new_service.main(names, repository, render) == 2
    said = f"new:service takes one name and was given {given}: hatch run new:service rate-limiter\n"
    assert capsys.readouterr().err == said


def test_what_is_installed_here_keeps_its_name(repository: Path, tmp_path: Path) -> None:
    """yarl comes with aiohttp, and yaml is of PyYAML: neither is found in what the packages declare."""
    packages = tmp_path / "environments" / "default" / "lib" / "python3.11" / "site-packages"
    (packages / "yarl").mkdir(parents=True)
    (packages / "six.py").touch()
    for name in ("yarl", "six"):
        with pytest.raises(Refused, match=f"{name} is there: something that is installed here has that name"):
            check_name(name, repository, tmp_path / "environments")
    check_name("rate-limiter", repository, tmp_path / "environments")


def test_the_api_of_a_package_that_was_here_is_not_overwritten(repository: Path, contents: Files) -> None:
    """Its promises stand in the file; a folder is gone more easily than its users."""
    (repository / "tests" / "api" / "gone.txt").write_text("# gone, last release: 1.0.0\n")
    before = contents(repository)
    assert new_service.main(["gone"], repository, render) == 2
    assert contents(repository) == before


def test_an_interrupt_leaves_nothing_half_made(
    repository: Path, contents: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the middle of the template."""

    def interrupted(template: Path, target: Path, answers: dict[str, str]) -> None:
        render(template, target, answers)
        raise KeyboardInterrupt

    before = contents(repository)
    assert new_service.main(["rate-limiter"], repository, interrupted) == 130
    assert capsys.readouterr().err == "new:service was interrupted: packages/rate-limiter is not there\n"
    assert contents(repository) == before
    assert not list(repository.glob(".new-*"))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["rate-limiter", "rate-limiter.txt"])
def test_the_folder_and_its_api_come_together_or_not_at_all(
    when: str, what: str, repository: Path, contents: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without the other would be red."""
    before, rename = contents(repository), Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        moved = rename(self, target) if target.name != what or when == "after" else target
        if target.name == what:
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "rename", interrupted)
    assert new_service.main(["rate-limiter"], repository, render) == 130
    assert contents(repository) == before
    assert not (repository / "packages" / "rate-limiter").exists()


def test_a_package_that_somebody_makes_meanwhile_is_not_touched(repository: Path) -> None:
    """The second of two at once fails, and the first keeps what it has."""
    theirs = repository / "packages" / "rate-limiter" / "theirs"

    def overtaken(template: Path, target: Path, answers: dict[str, str]) -> None:
        render(template, target, answers)
        theirs.parent.mkdir()
        theirs.touch()

    with pytest.raises(OSError, match="rate-limiter"):
        new_service.main(["rate-limiter"], repository, overtaken)
    assert theirs.exists()
    assert not (repository / "tests" / "api" / "rate-limiter.txt").exists()
