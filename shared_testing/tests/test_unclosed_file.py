"""AT303 as its user meets it: the text, and files that end when and as they would without us."""

# ruff: noqa: PTH123, SIM115 - files that are opened the plain way, and left open, are the subject.
from __future__ import annotations

import _io
import asyncio
import builtins
import gc
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared_testing.detectors.detector import Scope
from shared_testing.detectors.unclosed_file import UnclosedFile
from shared_testing.loop.observer import LoopObserver

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]

JOURNAL = """
import gc

def append(path, line):
    open(path, "a").write(line)

def test_append(tmp_path):
    append(tmp_path / "journal.txt", "x")
    assert (tmp_path / "journal.txt").read_text() == "x"

def test_innocent():
    gc.collect()
"""

JOURNAL_TEXT = """\
AT303 file 'journal.txt' was not closed
  --> test_it.py:4 in append
   |   open(path, "a").write(line)
  cause: it was opened, and neither 'with' nor close() ended it
  fix:   open it in 'with open(...) as file:'
"""


@pytest.fixture
def detector() -> Iterator[UnclosedFile]:
    detector = UnclosedFile()
    detector.install(LoopObserver())
    detector.start(Scope("here"))
    yield detector
    detector.uninstall()


def told(detector: UnclosedFile) -> list[str]:
    return [finding.symptom for finding in detector.finish(Scope("here"))]


@pytest.mark.parametrize("options", [[], ["-W", "error"]], ids=["plain", "W-error"])
def test_the_text_stands_alone(pytester: pytest.Pytester, options: list[str]) -> None:
    """And what was written is in the file at once, as CPython has it."""
    pytester.makepyfile(test_it=JOURNAL)
    result = pytester.runpytest_subprocess(*OPTIONS, *options)
    result.assert_outcomes(failed=1, passed=1)
    assert JOURNAL_TEXT in result.stdout.str()
    assert "ResourceWarning" not in result.stdout.str() + result.stderr.str()


def test_uninstalled_all_is_as_before() -> None:
    """Not a wrapper is left of any function that opens or closes."""
    places = [(builtins, "open"), (io, "open"), (_io, "open"), (os, "open"), (os, "close"), (os, "pipe"), (os, "dup")]
    before = [getattr(*place) for place in places] + [ThreadPoolExecutor.submit]
    detector = UnclosedFile()
    detector.install(LoopObserver())
    assert builtins.open is not before[0]
    detector.uninstall()
    assert [getattr(*place) for place in places] + [ThreadPoolExecutor.submit] == before


@pytest.mark.parametrize("buffering", [-1, 0])
@pytest.mark.parametrize("in_cycle", [False, True])
def test_a_dropped_file_is_closed_and_told_of(
    detector: UnclosedFile, tmp_path: Path, buffering: int, in_cycle: bool
) -> None:
    """Its descriptor is free at the moment at which it always was; the warning is ours to make."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        file = open(tmp_path / "x", "wb", buffering)
        number = file.fileno()
        file.write(b"x")
        if in_cycle:
            cycle = [file]
            cycle.append(cycle)  # type: ignore[arg-type]
            del cycle
        del file
        gc.collect()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(number)
    assert told(detector) == ["file 'x' was not closed"]


def test_a_detached_buffer_is_watched_on(detector: UnclosedFile, tmp_path: Path) -> None:
    """What is left of a file after detach() is closed by whoever has it."""
    text = open(tmp_path / "x", "w")
    text.detach().close()
    kept = open(tmp_path / "y", "w").detach()
    assert told(detector) == ["file 'y' was not closed"]
    kept.close()


def test_an_error_of_open_names_the_users_line(detector: UnclosedFile, tmp_path: Path) -> None:
    """Our own frame hides itself in pytest's traceback, and the error is the same."""
    with pytest.raises(FileNotFoundError) as caught:
        open(tmp_path / "missing")
    assert caught.value.filename == str(tmp_path / "missing")
    assert caught.traceback.filter(caught)[-1].path == Path(__file__)


def test_a_number_that_is_used_again_is_not_confused(detector: UnclosedFile, tmp_path: Path) -> None:
    """The system gives a free number to the next file; somebody else's file is not ours."""
    first = os.open(tmp_path / "x", os.O_CREAT)
    real_close = os.close.__wrapped__  # type: ignore[attr-defined]
    real_close(first)
    with _io.FileIO(tmp_path / "y", "w") as other:
        assert other.fileno() == first
        assert told(detector) == []


def test_a_file_that_a_thread_opens_belongs_to_who_asked(detector: UnclosedFile, tmp_path: Path) -> None:
    """In the thread there is no line of the user's."""

    async def main() -> None:
        file = await asyncio.to_thread(open, tmp_path / "x", "w")
        assert file.writable()

    asyncio.run(main())
    [finding] = detector.finish(Scope("here"))
    assert finding.site is not None
    assert finding.site.source == 'file = await asyncio.to_thread(open, tmp_path / "x", "w")'
