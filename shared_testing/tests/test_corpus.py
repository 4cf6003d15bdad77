"""Every rule against its corpus: the marked lines, and no others.

A file of ``corpus/`` holds tests with a bug, whose guilty line ends in ``# !! CODE``, and near misses without a mark.
All files run in one process, as a suite would, so a finding that reaches an innocent test is seen too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("AT*.py"))
Lines = set[tuple[str, int]]


def found_by_a_run(folder: Path) -> dict[str, Lines]:
    """What is told in each file, as (code, line)."""
    report = folder / "findings.jsonl"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-c", "/dev/null"]
    command += ["--rootdir", str(CORPUS), "--import-mode=importlib", "-o", "asyncio_mode=auto"]
    command += ["-o", "asyncio_default_fixture_loop_scope=function", f"--findings-json={report}"]
    command += ["-p", "looks_often", "-o", "findings_step_seconds=0.1"]
    paths = os.pathsep.join([str(CORPUS), *filter(None, [os.environ.get("PYTHONPATH")])])
    # One after the other: what computes must not compete with what polls.
    done = subprocess.run(
        [*command, *map(str, FILES)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "crashed" not in done.stdout, done.stdout
    lines: dict[str, Lines] = defaultdict(set)
    for each in map(json.loads, report.read_text("utf-8").splitlines()):
        lines[Path(each["path"] or each["test"].partition("::")[0]).name].add((each["code"], each["line"]))
    return lines


def marked_in(file: Path) -> Lines:
    return {
        (code, number)
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        for code in re.findall(r"# !! (AT\d+)", line)
    }


@pytest.mark.slow
def test_the_marked_lines_are_found_and_no_others(tmp_path: Path) -> None:
    """A bug is told with its code and its line; what only looks like one is left in peace."""
    marked = {file.name: marked_in(file) for file in FILES}
    assert all(marked.values())
    found = found_by_a_run(tmp_path)
    for file in FILES:
        assert (file.name, found.pop(file.name, set())) == (file.name, marked[file.name])
    assert not found
