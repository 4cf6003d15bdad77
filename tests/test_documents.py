"""What the documents show runs, and prints what they say: every block of every Markdown file."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import documents
import pytest
from documents import ROOT, Block, agrees, plain

from queue_processor import BackgroundProcessor, QueueProcessor
from user_client import AuthenticatedAPIClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forked_pytest import ForkedPytest

    from shared_testing import FakeUsers

ALL = documents.blocks()

# Where the documents say that the API is.
API = re.compile(r"http://(?:127\.0\.0\.1|localhost):8080")


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in ALL if block.kind in kinds]


def by_name(blocks: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=lambda block: block.name)


TESTS, PROGRAMS, RUNS = of_kind("tests"), of_kind("program"), of_kind("run")
RUN = {run.source for run in RUNS}


# ---------------------------------------------------------------------- nothing escapes

CHECKED_BY = {
    "program": "test_documents.py::test_a_program_prints_what_is_shown",
    "printed": "test_documents.py::test_a_program_prints_what_is_shown",
    "tests": "test_documents.py::test_the_examples_of_tests_pass",
    "run": "test_documents.py::test_a_run_prints_what_is_shown",
    "command": "test_documents_commands.py::test_a_command_exists",
    "configuration": "test_documents_commands.py::test_a_configuration_is_known",
    "rule": "test_rule_examples.py::test_the_bad_example_is_told_and_the_good_one_is_not",
}


def test_every_block_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """A block of no kind has raised NoSuchKind above; each kind has its test, which takes all of that kind."""
    count = {kind: len(of_kind(kind)) for kind in dict.fromkeys(block.kind for block in ALL)}
    assert set(count) == set(CHECKED_BY)
    for file, name in (test.split("::") for test in CHECKED_BY.values()):
        assert f"def {name}(" in (ROOT / "tests" / file).read_text("utf-8")
    fences = sum(len(re.findall(r"(?m)^ *(?:```+|~~~+)", file.read_text("utf-8"))) for file in documents.files())
    assert fences == 2 * len(ALL), "a fence without its end, or one that documents.FENCE does not see"
    assert [block.name for block in of_kind("printed") if block.before not in PROGRAMS] == []
    with capsys.disabled():
        said = ", ".join(f"{number} {kind}" for kind, number in count.items())
        print(f"\ndocuments: all {len(ALL)} blocks of {len(documents.files())} files are checked ({said})")


def test_every_package_shows_something() -> None:
    """A README whose examples were not found would pass for ever."""
    for folder in [ROOT / "shared_testing", *ROOT.glob("packages/*")]:
        assert any(block.file == folder / "README.md" for block in ALL), folder


def test_no_example_has_a_name_that_it_does_not_use(tmp_path: Path) -> None:
    """Its layout is looked at by `hatch run lint`, which reads Markdown too, but checks no names there."""
    for number, block in enumerate(TESTS):
        (tmp_path / f"{number}.py").write_text(f"# {block.name}\n{block.text}", "utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F", "--quiet", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == ""


# ---------------------------------------------------------------------- programs


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
    awaited = re.sub(r"\basyncio\.run\((.*)\)$", r"await \1", code, flags=re.MULTILINE)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    ran = eval(compile(awaited, "README.md", "exec", flags, dont_inherit=True), names)
    if inspect.iscoroutine(ran):
        await ran


def printed_by(program: Block) -> str:
    after = [block for block in of_kind("printed") if block.before is program]
    return after[0].text if after else ""


@pytest.mark.virtual_time
@by_name(PROGRAMS)
async def test_a_program_prints_what_is_shown(
    block: Block,
    users: FakeUsers,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run as it stands; only where the API and the files are is put in."""
    users.populate(1000)
    monkeypatch.chdir(tmp_path)
    await run(API.sub(users.url, block.text), surroundings(users.url))
    printed = capsys.readouterr().out.replace(str(tmp_path), "/home/me")
    assert plain(printed) == plain(printed_by(block))


# ---------------------------------------------------------------------- tests


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedPytest]:
    """One server for all runs: without importing the world for each."""
    with documents.forked(tmp_path_factory.mktemp("forked")) as server:
        yield server


@pytest.mark.slow
def test_the_examples_of_tests_pass(forked: ForkedPytest) -> None:
    """With nothing installed but the toolkit, as its README says. Those of which a run is shown have a test below."""
    examples = {f"test_{number}.py": block for number, block in enumerate(TESTS) if block not in RUN}
    command = "pytest -o addopts= -W error -W ignore::pytest.PytestAssertRewriteWarning"
    printed = documents.run_files(forked, {name: block.text for name, block in examples.items()}, command)
    where = "\n".join(f"{name} is {block.name}" for name, block in examples.items() if name in printed)
    assert re.search(r"(?m)^=+ \d+ passed(, \d+ skipped)? in ", printed), f"{printed}\n{where}"
    passed = {name: dots.count(".") for name, dots in re.findall(r"(?m)^(test_\w+\.py) ([.s]+)", printed)}
    for name, block in examples.items():
        # A contract's promises stand in the toolkit; what it does not ask of an example is skipped there.
        assert passed[name] >= (1 if "Contract" in block.text else block.text.count("def test_")), block.name


@pytest.mark.slow
@by_name(RUNS)
def test_a_run_prints_what_is_shown(block: Block, forked: ForkedPytest) -> None:
    """In a fresh process, in a folder with the guide's pytest.ini and the tests in test_it.py."""
    for command, shown in block.steps:
        printed = documents.run(forked, block, command)
        assert agrees(shown, printed), f"$ {command}\n{printed}"
