"""The table of bugs on purpose, and what is said of one that nobody notices."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import mutants
import pytest
from forked_pytest import ForkedPytest
from mutants import Mutant, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[3]
TABLE = mutants.read_table()


def test_every_mutant_can_be_planted() -> None:
    """Code that was rewritten leaves its mutants behind: give them its new text, or others as bad, in mutants.toml."""
    assert [str(each) for each in TABLE if not each.is_plantable] == []


def test_the_mutants_are_many_and_different() -> None:
    """Of the client, its fake, HTTP in memory, both queues and the files; and no two are the same change."""
    assert len(TABLE) >= 60
    assert {each.path.split("/")[1] for each in TABLE} >= {
        "file-handler",
        "queue-processor",
        "src",
        "task-queue",
        "user-client",
    }
    changes = Counter((each.path, each.old, each.new) for each in TABLE)
    assert [change for change, times in changes.items() if times > 1] == []


def test_the_tests_of_a_mutant_exist() -> None:
    """pytest would complain of each, after minutes."""
    assert {test for each in TABLE for test in each.tests if not (ROOT / test).is_file()} == set()


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(1, ""), (-1, ""), (0, "survived"), (2, "broke the tests with exit code 2: SyntaxError")],
)
def test_only_a_failed_test_kills(code: int, verdict: str, tmp_path: Path) -> None:
    """The file is as before afterwards; what does not even run proves nothing about the tests."""
    file = tmp_path / "code.py"
    file.write_text("answer = 42\n")
    planted = []

    def run_tests(tests: Sequence[str]) -> tuple[int, str]:
        planted.append(file.read_text())
        return code, "SyntaxError"

    assert mutants.judge(Stage(tmp_path, run_tests), Mutant("code.py", "wrong", "42", "43", ())) == verdict
    assert (planted, file.read_text()) == (["answer = 43\n"], "answer = 42\n")


@pytest.mark.slow
def test_survivors_and_those_that_cannot_be_planted_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the exit code is 1."""
    file = "packages/task-queue/src/task_queue/progress.py"
    table = [Mutant(file, "survives", "How far", "How near", ()), Mutant(file, "is gone", "no such text", "", ())]
    monkeypatch.setattr(mutants, "read_table", lambda: table)
    monkeypatch.setattr(mutants, "WORKERS", 1)
    monkeypatch.setattr(ForkedPytest, "run", lambda *_: (0, ""))
    assert mutants.main([]) == 1
    printed = capsys.readouterr().out
    assert "0 of 2 mutants killed" in printed
    assert f"survived: {file}: survives\n" in printed
    assert f"its text does not stand in the file exactly once: {file}: is gone\n" in printed


def test_nothing_is_said_of_mutants_where_the_tests_fail_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would count as killed."""
    file = "packages/task-queue/src/task_queue/progress.py"
    monkeypatch.setattr(mutants, "read_table", lambda: [Mutant(file, "wrong", "How far", "How near", ("test_it.py",))])
    monkeypatch.setattr(mutants, "WORKERS", 1)
    monkeypatch.setattr(ForkedPytest, "run", lambda *_: (1, "FAILED test_it.py::test_it"))
    with pytest.raises(SystemExit, match=r"the tests fail without any mutant: FAILED test_it.py::test_it"):
        mutants.main([])


def test_each_run_reads_the_sources_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one server imports only what others wrote: a mutant is seen, and leaves nothing to the next run."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    sources, code = tmp_path / "src", tmp_path / "src" / "code_of_ours.py"
    sources.mkdir()
    (tmp_path / "test_it.py").write_text(
        "from code_of_ours import answer\n\ndef test_it():\n    print('read')\n    assert answer == 42\n"
    )
    with ForkedPytest(tmp_path, [sources], patience=60, preload=()) as server:
        said = []
        for text in ("answer = 42\n", "answer = 43\n", "answer = (\n", "answer = 42\n"):
            mutants.write(code, text)
            said.append(server.run(["test_it.py"]))
    assert [code for code, _ in said] == [0, 1, 2, 0]
    assert said[1][1].startswith("FAILED test_it.py::test_it - ")
