"""What the READMEs show runs, and prints what they say."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import BackgroundProcessor, QueueProcessor
from shared_testing import FakeUsers
from user_client import AuthenticatedAPIClient

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Where the READMEs say that the API is, and where the file is that they speak of.
API = re.compile(r"http://(?:127\.0\.0\.1|localhost):8080")
HOME = "/home/me"


class Shown:
    """A fenced block of a README, and the block of output that follows it."""

    def __init__(self, file: Path, number: int, code: str, output: str) -> None:
        self.name = f"{file.parent.name}-{number}"
        self.file, self.code, self.output = file, code, output


def shown(language: str) -> list[Shown]:
    found = []
    for file in [*sorted(ROOT.glob("packages/*/README.md")), ROOT / "shared_testing" / "README.md"]:
        text = file.read_text("utf-8")
        blocks = list(FENCED.finditer(text))
        for number, block in enumerate(blocks):
            # Output stands below what printed it, in a block that is in no language.
            after = blocks[number + 1] if number + 1 < len(blocks) else None
            if block[1] == language:
                found.append(Shown(file, number, block[2], after[2] if after and not after[1] else ""))
    return found


PYTHON = shown("python")
TESTS = [each for each in PYTHON if "def test_" in each.code or "class Test" in each.code]
PROGRAMS = [each for each in PYTHON if each not in TESTS]
COMMANDS = [each for each in shown("") if each.code.startswith("$ user-export ")]


async def nothing(*_: object) -> None:
    """Stands in for what a fragment leaves to the reader."""


async def batches() -> Any:
    yield ["a"]
    yield ["b"]


def surroundings(url: str) -> dict[str, Any]:
    """What the fragments take for granted."""
    return {
        "AuthenticatedAPIClient": AuthenticatedAPIClient,
        "BackgroundProcessor": BackgroundProcessor,
        "QueueProcessor": QueueProcessor,
        "addresses": ["ann@example.com", "bob@example.com"],
        "base_url": url,
        "batches": batches(),
        "send_mail": nothing,
        "write_batch": nothing,
    }


async def run(code: str, names: dict[str, Any]) -> None:
    """As a script, on the loop of the test: `asyncio.run(main())` becomes `await main()`."""
    awaited = re.sub(r"^asyncio\.run\((.*)\)$", r"await \1", code, flags=re.MULTILINE)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    ran = eval(compile(awaited, "README.md", "exec", flags, dont_inherit=True), names)
    if inspect.iscoroutine(ran):
        await ran


def test_every_package_shows_something() -> None:
    """A README whose examples were not found would pass for ever."""
    assert {each.file.parent.name for each in [*PYTHON, *COMMANDS]} == {
        *(folder.name for folder in ROOT.glob("packages/*")),
        "shared_testing",
    }


@pytest.mark.virtual_time
@pytest.mark.parametrize("example", PROGRAMS, ids=lambda each: each.name)
async def test_an_example_prints_what_the_readme_says(
    example: Shown,
    users: FakeUsers,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run as it stands; only where the API and the files are is put in."""
    users.populate(1000)
    monkeypatch.chdir(tmp_path)
    await run(API.sub(users.url, example.code), surroundings(users.url))
    printed = capsys.readouterr().out.replace(str(tmp_path), HOME)
    assert printed.rstrip("\n") == example.output.rstrip("\n")


def test_the_examples_of_tests_pass(run_suite: Callable[..., pytest.RunResult]) -> None:
    """With nothing installed but the toolkit, as its README says."""
    examples = {f"test_{each.name.replace('-', '_')}": each.code for each in TESTS}
    result = run_suite(**examples)
    passed = {name: dots.count(".") for name, dots in re.findall(r"(?m)^(test_\w+)\.py ([.s]+)", result.stdout.str())}
    assert set(result.parseoutcomes()) <= {"passed", "skipped"}
    for name, code in examples.items():
        # A contract's promises stand in the toolkit; what it does not ask of an example is skipped there.
        assert passed[name] == code.count("def test_") or ("Contract" in code and passed[name])


@pytest.mark.parametrize("example", COMMANDS, ids=lambda each: each.name)
async def test_a_command_prints_what_the_readme_says(example: Shown, tmp_path: Path) -> None:
    """Its figures aside."""
    async with FakeUsers() as users:
        users.populate(20)
        line, _, output = API.sub(users.url, example.code).removeprefix("$ user-export ").partition("\n")
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "user_export", *shlex.split(line)), cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await command.communicate()
    assert re.sub(r"\d+", "N", printed.decode()) == re.sub(r"\d+", "N", output)
