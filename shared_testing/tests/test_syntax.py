"""What the text of the user's functions tells."""

from __future__ import annotations

import ast
import asyncio.base_events
import asyncio.tasks
import dataclasses
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest

from shared_testing.findings import Site
from shared_testing.findings.syntax import function_at, with_qualname

if TYPE_CHECKING:
    from collections.abc import Iterator

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


ENDS = """\
class Job:
    @cached(
        size=1,
    )
    def __init__(self):
        self.done = False
# not indented, and still inside
        text = '''
not indented either'''
        self.later: int

    async def run(
        self,
    ):
        "Nothing but words."

    def wait(self): return self.done
"""


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes_in(each)


def _check_functions_of(path: Path) -> int:
    """Each function that was compiled from the file is found as it stands there, with its lines."""
    text = path.read_text(encoding="utf-8")
    nodes = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    wanted = {ast.dump(each, include_attributes=True) for each in nodes}
    functions = [function_at(each) for each in _codes_in(compile(text, str(path), "exec"))]
    assert {ast.dump(each, include_attributes=True) for each in functions if each is not None} == wanted
    return len(wanted)


@pytest.mark.parametrize("path", [asyncio.base_events.__file__, asyncio.tasks.__file__, dataclasses.__file__])
def test_a_function_is_found_as_it_stands_in_its_file(path: str) -> None:
    assert _check_functions_of(Path(path)) > 20


def test_a_function_ends_where_its_block_does(tmp_path: Path) -> None:
    """Not where the last line stands that Python has compiled."""
    path = tmp_path / "ends.py"
    path.write_text(ENDS, encoding="utf-8")
    assert _check_functions_of(path) == 3


def test_a_function_whose_file_is_gone_is_not_found(tmp_path: Path) -> None:
    code = compile("def gone():\n    return 1\n", str(tmp_path / "gone.py"), "exec")
    assert [function_at(each) for each in _codes_in(code)] == [None]
