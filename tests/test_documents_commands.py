"""The commands that the documents show exist, and print what is shown."""

from __future__ import annotations

import asyncio
import configparser
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import documents
import pytest
from documents import ROOT, Block

from queue_processor import open_queue
from queue_processor.cli import main as queue_processor
from shared_testing import FakeUsers

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = [block for block in documents.blocks() if block.kind == "command"]
CONFIGURATION = [block for block in documents.blocks() if block.kind == "configuration"]
TEXTS = {file: file.read_text("utf-8") for file in documents.files()}

PROJECTS = {
    file.parent.name: tomllib.loads(file.read_text("utf-8"))
    for file in [ROOT / "shared_testing/pyproject.toml", *ROOT.glob("packages/*/pyproject.toml")]
}
HATCH = tomllib.loads((ROOT / "hatch.toml").read_text("utf-8"))
# Names that a document gives to what its reader will make.
EXAMPLES = ("rate-limiter",)
API = re.compile(r"http://(?:127\.0\.0\.1|localhost):8080")


def lines_of(block: Block) -> Iterator[str]:
    """Each command of a console, by itself."""
    for line, _ in block.steps:
        for command in line.split(" && "):
            yield command.removesuffix(" &").strip()


def without_figures(text: str) -> str:
    return re.sub(r"\d[\d.,:]*", "N", re.sub(r" +", " ", text)).strip()


# ---------------------------------------------------------------------- they exist


def known_scripts() -> set[str]:
    """What `hatch run` takes, at the root or in a package."""
    known = {"pytest", "python"}
    for environments in (HATCH["envs"], HATCH["shared"]["envs"]):
        for name, environment in environments.items():
            # Every environment of a package has the scripts of its default one.
            scripts = environment.get("scripts", {}) | environments["default"].get("scripts", {})
            known |= {script if name == "default" else f"{name}:{script}" for script in scripts}
    return known


def complaint(command: str) -> str:
    """What is wrong with a command; nothing if it could be typed."""
    program, *words = shlex.split(command)
    if program == "hatch":
        return "" if words[0] != "run" or words[1] in known_scripts() else "no such script"
    if program == "pip":
        found = re.fullmatch(r"([\w.-]+)(?:\[([\w,]+)\])?", words[-1])
        name, extras = found.group(1, 2) if found else ("", None)
        project = {each["project"]["name"]: each["project"] for each in PROJECTS.values()}.get(name)
        if project is None:
            return "" if name == "hatch" else "not of this repository"
        return "" if set(filter(None, [extras])) <= set(project.get("optional-dependencies", {})) else "no such extra"
    if program == "git":
        tag = re.fullmatch(r"([\w-]+)-v\d+\.\d+\.\d+", words[-1])
        return "" if words[0] == "clone" or (tag and tag[1] in PROJECTS) else "no such tag"
    if program == "cd":
        return "" if (ROOT / words[0]).is_dir() or Path(words[0]).name in EXAMPLES else "no such folder"
    if program == "python" and words[0] == "-m":
        program, words = words[1].replace("_", "-"), words[2:]
    scripts = {
        name: target for each in PROJECTS.values() for name, target in each["project"].get("scripts", {}).items()
    }
    return "" if program in scripts else "no such command"


@pytest.mark.parametrize(
    "command",
    [
        "hatch run contract:apis",
        "pip install task-queue",
        "pip install asyncworks-task-queue[redis]",
        "git push origin taskqueue-v1.2.3",
        "git push origin task-queue-1.2.3",
        "cd packages/no-such-package",
        "user-exporter --base-url http://localhost:8080",
        "python -m task_queues worker",
        "make test",
    ],
)
def test_a_command_that_does_not_exist_is_told(command: str) -> None:
    """Else the test below would pass for ever."""
    assert complaint(command)


@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: block.name)
def test_a_command_exists(block: Block) -> None:
    """Whoever copies it gets further than the first line."""
    assert {command: told for command in lines_of(block) if (told := complaint(command))} == {}


def test_a_command_in_the_text_exists() -> None:
    """`hatch run ...` within a sentence, too."""
    said = {
        (file.name, name)
        for file, text in TEXTS.items()
        for name in re.findall(r"`hatch run (?:\+py=\S+ )?([\w:-]+)", text)
    }
    assert {each for each in said if each[1] not in known_scripts()} == set()


def test_links_lead_somewhere() -> None:
    """To a file that is there, and to a heading that it has."""
    broken = []
    for file, text in TEXTS.items():
        for target in re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", documents.FENCE.sub("", text)):
            path, _, heading = target.partition("#")
            there = (file.parent / path).resolve() if path else file
            if not there.exists() or (heading and heading not in headings(there)):
                broken.append(f"{file.relative_to(ROOT)}: {target}")
    assert broken == []


def headings(file: Path) -> set[str]:
    """As GitHub makes anchors of them."""
    found = re.findall(r"(?m)^#+ (.*)$", documents.FENCE.sub("", file.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


# ---------------------------------------------------------------------- configuration


@pytest.mark.parametrize("block", CONFIGURATION, ids=lambda block: block.name)
def test_a_configuration_is_known(block: Block, pytestconfig: pytest.Config) -> None:
    """It parses, and pytest knows each of its keys; of a pyproject.toml, hatch's own are looked for in a package."""
    if block.language == "ini":
        parser = configparser.ConfigParser()
        parser.read_string(block.text)
        tables: dict[str, Any] = {name: dict(parser[name]) for name in parser.sections()}
    else:
        tables = tomllib.loads(block.text)
    for name in tables.pop("pytest", {}):
        assert pytestconfig.getini(name) is not None
    for name, table in tables.items():
        assert all(_holds(project.get(name), table) for project in PROJECTS.values() if name in project), name


def _holds(actual: Any, shown: Any) -> bool:
    """Whether a package says so, too; paths are its own."""
    if isinstance(shown, dict):
        return isinstance(actual, dict) and all(_holds(actual.get(key), value) for key, value in shown.items())
    return actual is not None


# ---------------------------------------------------------------------- they print what is shown


def with_output(start: str) -> list[Block]:
    return [block for block in COMMANDS if block.text.startswith(start) and any(shown for _, shown in block.steps)]


def test_every_output_of_a_command_is_compared() -> None:
    """Those below are all that there are."""
    starts = (
        "$ user-export ",
        "$ python -m queue_processor ",
        "$ pip install hatch && hatch run demo",
        "$ hatch run test",
    )
    shown = [block for block in COMMANDS if any(output.strip() for _, output in block.steps)]
    assert [block.name for block in shown if not block.text.startswith(starts)] == []


@pytest.mark.parametrize("block", with_output("$ user-export "), ids=lambda block: block.name)
async def test_the_export_prints_what_is_shown(block: Block, tmp_path: Path) -> None:
    """Its figures aside."""
    async with FakeUsers() as users:
        users.populate(20)
        line, _, output = API.sub(users.url, block.text).removeprefix("$ user-export ").partition("\n")
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "user_export", *shlex.split(line)), cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await command.communicate()
    assert without_figures(printed.decode()) == without_figures(output)


PAGES = f"""
import os
import signal


async def resize(message):
    if "broken" in message.json()["image"]:
        raise ValueError("no image")
    os.kill(os.getpid(), signal.{signal.SIGTERM.name})
"""


@pytest.mark.parametrize("block", with_output("$ python -m queue_processor "), ids=lambda block: block.name)
def test_the_processor_prints_what_is_shown(block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its figures aside, and on a queue in a file, which any machine has."""
    url = f"sqlite:{tmp_path}/jobs.db?name=pages&max_deliveries=1"

    async def put() -> None:
        async with open_queue(url) as queue:
            await queue.put_many([b'{"image": "broken.png"}', b'{"image": "a.png"}'])

    asyncio.run(put())
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "work.py").write_text(PAGES)
    for line, shown in block.steps:
        words = shlex.split(re.sub(r"redis://\S+", url, line))[3:]
        if words[0] == "run":
            command = [sys.executable, "-m", "queue_processor", *words, "--consumers", "1"]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            printed = done.stderr.splitlines()[-1]
        else:
            assert queue_processor(words) == 0
            printed = capsys.readouterr().out
        assert without_figures(re.sub(r"\S+(?=  after)", "ID", printed)) == without_figures(
            re.sub(r"\S+(?=  after)", "ID", shown)
        )


def test_the_suite_is_as_large_as_the_readme_says(request: pytest.FixtureRequest) -> None:
    """Give or take a tenth."""
    block = next(block for block in COMMANDS if block.text.startswith("$ hatch run test"))
    items = request.session.items
    folders = [ROOT / "tests", ROOT / "shared_testing/tests", *ROOT.glob("packages/*/tests")]
    if not all(any(item.path.is_relative_to(folder) for item in items) for folder in folders):
        pytest.skip("only a part of the suite runs")
    collected = re.search(r"workers \[(\d+) items\]", block.text)
    passed = re.search(r"(\d+) passed, (\d+) skipped in ", block.text)
    assert collected is not None
    assert passed is not None
    assert int(collected[1]) == int(passed[1]) + int(passed[2])
    assert len(items) == pytest.approx(int(collected[1]), rel=0.1)
