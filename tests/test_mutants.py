"""The table of bugs on purpose, and what is said of one that nobody notices."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import mutants
import pytest
from mutants import Mutant, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
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


def test_survivors_and_those_that_cannot_be_planted_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the exit code is 1."""
    file = "packages/task-queue/src/task_queue/progress.py"
    table = [Mutant(file, "survives", "How far", "How near", ()), Mutant(file, "is gone", "no such text", "", ())]
    monkeypatch.setattr(mutants, "read_table", lambda: table)
    monkeypatch.setattr(mutants.ForkedPytest, "run", lambda *_: (0, ""))
    assert mutants.main([]) == 1
    printed = capsys.readouterr().out
    assert "0 of 2 mutants killed" in printed
    assert f"survived: {file}: survives\n" in printed
    assert f"its text does not stand in the file exactly once: {file}: is gone\n" in printed
