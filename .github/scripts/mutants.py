"""Plant the bugs of tests/mutants.toml, one at a time, and see that the tests notice each.

    hatch run contract:mutants                  all of them
    hatch run contract:mutants login pages      those whose file, or whose words, hold one of these

Works in copies, never in the checkout. The exit code is 1 when a mutant survives, cannot be planted, or breaks the
tests otherwise than by failing one; and when the tests fail without any mutant.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests" / "mutants.toml"
COPIED = (".github", ".pytest.toml", "hatch.toml", "packages", "shared_testing", "tests")
WORKERS = min(4, os.cpu_count() or 1)

# What the tests do not need, and what takes long to import.
WITHOUT = ("-pno:cacheprovider", "-pno:xdist", "-pno:timeout", "-pno:randomly")

# Seconds: a mutant that makes a test hang has been noticed, too. The slowest suite takes some ten.
PATIENCE = 120

# The modification time of what is written: with one of the same second Python would take the old bytecode for the new.
_TICKS = count(int(time.time()) + 10)


@dataclass(frozen=True)
class Mutant:
    path: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"

    @property
    def is_plantable(self) -> bool:
        return self.old != self.new and (ROOT / self.path).read_text("utf-8").count(self.old) == 1


def read_table(table: Path = TABLE) -> list[Mutant]:
    return [
        Mutant(file["path"], what, old, new, tuple(file["tests"]))
        for file in tomllib.loads(table.read_text("utf-8"))["file"]
        for what, old, new in file["mutants"]
    ]


@contextmanager
def copy_of_the_checkout() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__", "dist", "out", ".*_cache")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=ignored)
            else:
                shutil.copy(source, copy / name)
        yield copy


def run_tests(copy: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """pytest's exit code (-1: it hung) and the first failure; the copy's sources come before the installed ones."""
    sources = [copy / "shared_testing" / "src", *copy.glob("packages/*/src")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources))}
    # Bytecode of what does not change halves the time.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", *WITHOUT, *tests]
    with subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return -1, "it hung"
    failures = [line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return process.returncode, failures[0] if failures else printed.strip().rpartition("\n")[2]


def judge(copy: Path, mutant: Mutant) -> str:
    """Why this mutant counts against us; empty if a test has noticed it."""
    file = copy / mutant.path
    original = file.read_text("utf-8")
    try:
        write(file, original.replace(mutant.old, mutant.new))
        code, said = run_tests(copy, mutant.tests)
    finally:
        write(file, original)
    if code == 0:
        return "survived"
    return "" if code in (1, -1) else f"broke the tests with exit code {code}: {said}"


def write(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")
    tick = next(_TICKS)
    os.utime(file, (tick, tick))


def main(words: list[str]) -> int:
    mutants = [each for each in read_table() if not words or any(word in str(each) for word in words)]
    if not mutants:
        sys.exit(f"mutants: none holds {' or '.join(words)}")
    bad = {each: "its text does not stand in the file exactly once" for each in mutants if not each.is_plantable}
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()

    def check(mutant: Mutant) -> None:
        copy = copies.get()
        try:
            if verdict := judge(copy, mutant):
                bad[mutant] = verdict
            print("." if not verdict else "S", end="", flush=True)
        finally:
            copies.put(copy)

    began = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        folders = [copy_of_the_checkout() for _ in range(WORKERS)]
        entered = [folder.__enter__() for folder in folders]
        try:
            healthy = tuple(sorted({test for mutant in mutants for test in mutant.tests}))
            code, said = run_tests(entered[0], healthy)
            if code:
                sys.exit(f"mutants: the tests fail without any mutant: {said}")
            for copy in entered:
                copies.put(copy)
            list(pool.map(check, [each for each in mutants if each not in bad]))
        finally:
            for folder in folders:
                folder.__exit__(None, None, None)
    print(f"\n{len(mutants) - len(bad)} of {len(mutants)} mutants killed in {time.monotonic() - began:.0f} s")
    for mutant, verdict in bad.items():
        print(f"{verdict}: {mutant}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
