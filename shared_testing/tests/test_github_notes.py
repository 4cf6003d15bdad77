"""GitHub's notes beside the lines, as a runner reads them from what the step prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LEAK = """
import asyncio

async def poll():
    await asyncio.sleep(3600)

def start():
    asyncio.create_task(poll())

async def test_first():
    start()

async def test_second():
    start()
"""

NOTE = (
    "::{} file=tests/test_it.py,line=8,title=AT301 task 'poll' is still running"
    "::cause: asyncio.create_task() returned a task that nobody awaited or cancelled"
    "%0Afix: keep the task and cancel it on close, or start it in an asyncio.TaskGroup"
)


@pytest.fixture
def checkout(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in GitHub Actions, whose tests are run from one of its folders."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    folder = pytester.mkdir("tests")
    monkeypatch.chdir(folder)
    return folder


def notes(pytester: pytest.Pytester, *options: str) -> list[str]:
    modes = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]
    result = pytester.runpytest_inprocess(*modes, *options)
    return [line for line in result.outlines if line.startswith("::")]


@pytest.mark.parametrize(
    ("options", "level"), [((), "error"), (("--findings=warn",), "warning"), (("-p", "xdist", "-n2"), "error")]
)
def test_a_finding_is_noted_once_at_its_line(
    pytester: pytest.Pytester, checkout: Path, options: tuple[str, ...], level: str
) -> None:
    """Its path is that in the repository; two tests that run into it make one note, also in two processes."""
    (checkout / "test_it.py").write_text(LEAK)
    assert notes(pytester, *options) == [NOTE.format(level)]


def test_what_would_end_a_note_early_is_escaped(pytester: pytest.Pytester, checkout: Path) -> None:
    """Colons and commas end a property, lines the whole command."""
    (checkout / "test_it.py").write_text(
        "async def it(): ...\n\nasync def test_it():\n    it.__qualname__ = 'a,b: 100%'\n    it()\n"
    )
    (note,) = notes(pytester)
    assert note.startswith("::error file=tests/test_it.py,line=5,title=AT101 coroutine 'a%2Cb%3A 100%25' was")


def test_elsewhere_nothing_is_noted(pytester: pytest.Pytester, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a desk a note would be noise."""
    monkeypatch.delenv("GITHUB_ACTIONS")
    (checkout / "test_it.py").write_text(LEAK)
    assert notes(pytester) == []
