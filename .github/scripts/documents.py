"""What the documents show: each fenced block of each Markdown file, and how it is checked.

A block is of one of these kinds, by its language and by what stands before it. `tests/test_documents.py` has a test for
each kind; a block that is of none fails it.

tests           ``python`` that defines tests: run, with the toolkit; must pass unless a run of it is shown
program         ``python`` that defines none: run as a script
printed         no language, below a program: what the program prints
run             no language, ``$ pytest ...`` below tests: the command is run on them, its output compared
command         no language, any other ``$ ...``: the command exists, its output is compared
configuration   ``ini``, ``toml``, ``yaml``: parses, its keys are known
rule            ``python`` of a rule's page: the rule's own text; run by tests/test_rule_examples.py

In an output, a line ``...`` stands for any number of lines, and `plain()` says what is not compared.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import project_files
from forked_pytest import ForkedPytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
RULE_PAGES = ROOT / "shared_testing" / "docs" / "rules"

# A fence may be indented, in a list; whatever follows its language stays with it.
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
CONFIGURATION = ("ini", "toml", "yaml")


class NoSuchKind(ValueError):
    """A block that nothing would check."""


@dataclass(frozen=True)
class Block:
    file: Path
    line: int
    language: str
    text: str
    before: Block | None

    @property
    def name(self) -> str:
        """As ``pytest -k`` takes it, and an editor: file and line."""
        return f"{Path(os.path.relpath(self.file, ROOT)).as_posix()}:{self.line}"

    @cached_property
    def kind(self) -> str:
        if self.language == "python":
            if self.file.parent == RULE_PAGES:
                return "rule"
            return "tests" if re.search(r"^ *(async )?def test_|^class Test", self.text, re.MULTILINE) else "program"
        if self.language in CONFIGURATION:
            return "configuration"
        if not self.language:
            if self.text.startswith("$ pytest"):
                if self.source is not None:
                    return "run"
                raise NoSuchKind(f"{self.name}: no tests stand before this run of pytest")
            if self.text.startswith("$ "):
                return "command"
            if self.before is not None and self.before.kind == "program":
                return "printed"
            raise NoSuchKind(
                f"{self.name}: an output, but of what? It stands below no program, and begins with no '$ '"
            )
        raise NoSuchKind(f"{self.name}: nothing checks a block in the language {self.language!r}")

    @property
    def source(self) -> Block | None:
        """The tests that a run is of: the nearest before it."""
        block = self.before
        while block is not None and block.kind != "tests":
            block = block.before
        return block

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Each command of a console, and what it printed."""
        parts = re.split(r"^\$ (.*)\n", self.text, flags=re.MULTILINE)[1:]
        return list(zip(parts[::2], parts[1::2], strict=True))


def files() -> list[Path]:
    """Those of the project: what is ignored is nobody's document."""
    return [file for file in project_files.files(ROOT) if file.suffix == ".md"]


def blocks_of(file: Path) -> Iterator[Block]:
    text = file.read_text("utf-8")
    before = None
    for match in FENCE.finditer(text):
        inner = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        before = Block(file, text[: match.start()].count("\n") + 1, match["language"].strip(), inner, before)
        yield before


def blocks() -> list[Block]:
    return [block for file in files() for block in blocks_of(file)]


# ---------------------------------------------------------------------- outputs

# Where things are installed is a machine's own.
_PLACE = re.compile(r"[^\s'\"(]*/(?=(?:lib/python3\.\d+|site-packages)/)")

# What differs from run to run, from machine to machine, or between Pythons.
_VARIES = [
    (_PLACE, ""),
    (re.compile(r"\b0x[0-9a-f]{4,}"), "0xN"),
    (re.compile(r"\bin \d+\.\d+s\b( \([\d:]+\))?"), "in N.NNs"),
    (re.compile(r"\b(127\.0\.0\.1|localhost):\d+"), r"\1:N"),
    (re.compile(r"\blib/python3\.\d+"), "lib/python3"),
    (re.compile(r"\b((?:lib/python3|site-packages)/\S+?)(:|\", line )\d+"), r"\1\2N"),
    # Each Python has its own way to underline, and to name what is no file.
    (re.compile(r"^ *[~^]+ *\n", re.MULTILINE), ""),
    (re.compile(r"^(sys:1|<sys>:0):", re.MULTILINE), "sys:"),
    # Rulers are as long as the text between them leaves them.
    (re.compile(r"^([=_-])\1{2,} (.*?) \1{2,}$", re.MULTILINE), r"\1\1\1 \2 \1\1\1"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
]


def plain(text: str) -> str:
    """An output without times, addresses, ports and the places where things are installed."""
    for varying, word in _VARIES:
        text = varying.sub(word, text)
    return text.strip("\n")


def agrees(shown: str, printed: str) -> bool:
    """Whether an output is the one that is shown, whose lines ``...`` stand for any."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + r"\n" for line in plain(shown).split("\n")
    )
    return re.fullmatch(pattern, plain(printed) + "\n") is not None


# ---------------------------------------------------------------------- runs

# Strangers' plugins that stand in the environment, and that a reader need not have. What is measured is 80 wide.
_OPTIONS = " ".join(
    f"-p no:{name}" for name in ("randomly", "hypothesispytest", "xdist", "xdist.looponfail", "timeout")
)
_PRELOAD = (
    "pytest_asyncio.plugin",
    "aiohttp.web",
    "aiohttp.test_utils",
    "shared_testing.plugin",
    "anyio.pytest_plugin",
    "time_machine",
)
_OF_A_MACHINE = re.compile(r"PYTEST_|PYTHON|CI$|BUILD_NUMBER$|GITHUB_ACTIONS$")


@contextmanager
def forked(folder: Path) -> Iterator[ForkedPytest]:
    """For ``run()``: pytest as on a desk, a fresh process for each run."""
    kept = {name: value for name, value in os.environ.items() if not _OF_A_MACHINE.match(name)}
    environment = {**kept, "COLUMNS": "80", "PYTEST_ADDOPTS": _OPTIONS}
    with ForkedPytest(folder, [], patience=60, preload=_PRELOAD, environment=environment) as server:
        yield server


def run(server: ForkedPytest, block: Block, command: str) -> str:
    """What ``pytest ...`` prints to the tests that a block runs, in test_it.py beside the guide's pytest.ini."""
    if block.source is None:
        raise NoSuchKind(f"{block.name}: no tests stand before this run of pytest")
    return run_files(server, {"test_it.py": block.source.text}, command)


def run_files(server: ForkedPytest, texts: Mapping[str, str], command: str) -> str:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, text in {**texts, "pytest.ini": _ini()}.items():
            (folder / name).write_text(text, "utf-8")
        _, printed = server.printed(shlex.split(command)[1:], folder)
        printed = printed.replace(str(folder.resolve()), "/home/me").replace(str(folder), "/home/me")
        return _PLACE.sub("", printed).strip("\n")


@cache
def _ini() -> str:
    return next(block.text for block in blocks() if block.language == "ini" and "[pytest]" in block.text)
