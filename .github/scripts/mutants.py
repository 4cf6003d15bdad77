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
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from forked_pytest import ForkedPytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    RunTests = Callable[[Sequence[str]], tuple[int, str]]

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests" / "mutants.toml"
COPIED = (".github", ".pytest.toml", "hatch.toml", "packages", "shared_testing", "tests")
WORKERS = min(4, os.cpu_count() or 1)

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


@dataclass(frozen=True)
class Stage:
    """A copy of the checkout, and its tests."""

    copy: Path
    run_tests: RunTests


@contextmanager
def stages() -> Iterator[list[Stage]]:
    with ExitStack() as stack:
        yield [_stage(stack) for _ in range(WORKERS)]


def _stage(stack: ExitStack) -> Stage:
    copy = stack.enter_context(copy_of_the_checkout())
    sources = [copy / "shared_testing" / "src", *copy.glob("packages/*/src")]
    return Stage(copy, stack.enter_context(ForkedPytest(copy, sources, PATIENCE)).run)


def judge(stage: Stage, mutant: Mutant) -> str:
    """Why this mutant counts against us; empty if a test has noticed it."""
    file = stage.copy / mutant.path
    original = file.read_text("utf-8")
    try:
        write(file, original.replace(mutant.old, mutant.new))
        code, said = stage.run_tests(mutant.tests)
    finally:
        write(file, original)
    if code == 0:
        return "survived"
    return "" if code in (1, -1) else f"broke the tests with exit code {code}: {said}"


def write(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")
    tick = next(_TICKS)
    os.utime(file, (tick, tick))


def judge_all(mutants: list[Mutant], free: list[Stage]) -> Iterator[tuple[Mutant, str]]:
    """Ends the program if the tests fail without any mutant, for then nothing has been said of those."""
    stages: queue.SimpleQueue[Stage] = queue.SimpleQueue()
    for each in free:
        stages.put(each)

    def on_a_stage(job: Callable[[Stage], T]) -> T:
        stage = stages.get()
        try:
            return job(stage)
        finally:
            stages.put(stage)

    every = sorted({test for mutant in mutants for test in mutant.tests})
    with ThreadPoolExecutor(len(free)) as pool:
        healthy = pool.submit(on_a_stage, lambda stage: stage.run_tests(every))
        jobs = [pool.submit(on_a_stage, lambda stage, each=each: judge(stage, each)) for each in mutants]
        try:
            for mutant, job in zip(mutants, jobs, strict=True):
                yield mutant, job.result()
                if healthy.done() and healthy.result()[0]:
                    break
            code, said = healthy.result()
            if code:
                sys.exit(f"mutants: the tests fail without any mutant: {said}")
        finally:
            pool.shutdown(cancel_futures=True)


def main(words: list[str]) -> int:
    mutants = [each for each in read_table() if not words or any(word in str(each) for word in words)]
    if not mutants:
        sys.exit(f"mutants: none holds {' or '.join(words)}")
    bad = {each: "its text does not stand in the file exactly once" for each in mutants if not each.is_plantable}
    began = time.monotonic()
    with stages() as free:
        for mutant, verdict in judge_all([each for each in mutants if each not in bad], free):
            if verdict:
                bad[mutant] = verdict
            print("S" if verdict else ".", end="", flush=True)
    print(f"\n{len(mutants) - len(bad)} of {len(mutants)} mutants killed in {time.monotonic() - began:.0f} s")
    for mutant, verdict in bad.items():
        print(f"{verdict}: {mutant}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
