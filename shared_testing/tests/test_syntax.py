"""What the text of the user's functions tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.findings import Site
from shared_testing.findings.syntax import with_qualname

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """\
class Job:
    def run(self):
        if self:
            def step():
                return 1
        return [each() for each in self]

def main():
    return 1
"""


def test_a_function_is_named_with_its_class(tmp_path: Path) -> None:
    """Python's record of where a coroutine was made has only the last part of the name."""
    path = tmp_path / "job.py"
    path.write_text(SOURCE, encoding="utf-8")

    def named(line: int, function: str) -> str:
        return with_qualname(Site(str(path), line, function)).function

    assert named(3, "run") == "Job.run"
    assert named(5, "step") == "Job.run.<locals>.step"
    assert named(6, "<listcomp>") == "Job.run.<locals>.<listcomp>"
    assert named(9, "main") == "main"
    assert named(9, "another") == "another"
