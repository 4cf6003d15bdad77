"""Show the pitfalls: a broken test of each rule, what plain pytest says to it, and what shared_testing says.

``hatch run pitfalls`` shows the first of each rule, ``hatch run pitfalls AT301`` all of one. Both answers come from
real runs of the toolkit's corpus, without the plugin and with it.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.registry import RULES
from shared_testing.findings.json_lines import REPORT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "shared_testing" / "tests" / "corpus"
FILES = {file.name[:5]: file for file in sorted(CORPUS.glob("AT*.py"))}

# Seconds: a test that has not ended by then hangs. The slowest of the corpus takes about one.
PATIENCE = 4.0
# With the plugin none does.
LONG_PATIENCE = 60.0

_RECORD, _DONE = "PITFALLS_RECORD", "PITFALLS_DONE"
_processes: set[subprocess.Popen[bytes]] = set()

COMMAND = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(CORPUS), "--import-mode=importlib"]
COMMAND += ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", Path(__file__).stem]
COMMAND += [word for name in ("cacheprovider", "randomly", "xdist", "timeout") for word in ("-p", f"no:{name}")]


# ---------------------------------------------------------------------- the tests


@dataclass(frozen=True)
class Function:
    """A function of the corpus: a test, or what a test calls."""

    file: Path
    name: str
    first: int
    last: int

    @property
    def id(self) -> str:
        return f"{self.file.name}::{self.name}"

    def code(self) -> str:
        lines = self.file.read_text("utf-8").splitlines()[self.first - 1 : self.last]
        return textwrap.dedent("\n".join(lines))


@functools.cache
def functions_of(file: Path) -> list[Function]:
    return [
        Function(file, prefix + node.name, min([node.lineno, *(each.lineno for each in node.decorator_list)]), last)
        for prefix, node in _functions(ast.parse(file.read_text("utf-8")).body)
        if (last := node.end_lineno)
    ]


def _functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix, node


def samples_of(rule: str) -> list[str]:
    """What to run to show one broken test: two that hold a mark (what is left may end with the last); or all."""
    file = FILES[rule]
    marked = [n for n, line in enumerate(file.read_text("utf-8").splitlines(), 1) if re.search(rf"# !! .*{rule}", line)]
    tests = [each for each in functions_of(file) if each.name.rpartition("::")[2].startswith("test")]
    found = [each.id for each in tests if any(each.first <= line <= each.last for line in marked)]
    # A state that one test leaks is another's failure.
    return found[:2] if len(found) > 1 and rule != "AT501" else [file.name]


# ---------------------------------------------------------------------- the runs


@dataclass
class Told:
    """What a run said to one test. Its parameters are left out."""

    words: dict[str, None] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)


def run_plain(targets: list[str], ours: dict[str, Told]) -> dict[str, Told]:
    """Run them in one process; those that will hang, as we know, in one of their own each, side by side."""
    stuck = [test for test, told in ours.items() if any(each["code"] == "AT402" for each in told.findings)]
    plain = functools.partial(run, patience=PATIENCE, options=("-p", "no:shared_testing"))
    with ThreadPoolExecutor(8) as pool:
        try:
            runs = [pool.submit(plain, targets, without=stuck), *(pool.submit(plain, [test]) for test in stuck)]
            return {test: told for each in runs for test, told in each.result().items()}
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(_processes):
                _kill(process)
            raise


def run(
    targets: list[str], patience: float, options: tuple[str, ...] = (), without: Sequence[str] = ()
) -> dict[str, Told]:
    """Run them in one process, and in another one those that come after one that hangs."""
    told: dict[str, Told] = defaultdict(Told)
    command = [*COMMAND, *options, *targets]
    while (hanging := _run(command, patience, told, [*told, *without])) is not None:
        told[hanging].words[f"hangs: it was killed after {patience:g} seconds"] = None
    return told


def _run(command: list[str], patience: float, told: dict[str, Told], done: list[str]) -> str | None:
    """The id of the test in which the run was stuck; None if it came to its end."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.jsonl")
        record.touch()
        paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {k: v for k, v in os.environ.items() if k != "GITHUB_ACTIONS" and not k.startswith("PYTEST_")}
        process = subprocess.Popen(
            command,
            cwd=CORPUS,
            env={**environment, _RECORD: str(record), _DONE: json.dumps(done), "PYTHONPATH": paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _processes.add(process)
        try:
            running = _follow(process, record, patience)
        finally:
            _processes.remove(process)
            _kill(process)
            process.wait()
        for event in filter(itemgetter("test"), _events(record)):
            told[event["test"]].words |= dict.fromkeys(event["said"])
            told[event["test"]].findings += event["findings"]
        return running


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With what its tests have left behind: processes, and threads that keep the interpreter from its end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _follow(process: subprocess.Popen[bytes], record: Path, patience: float) -> str | None:
    """Wait for the end of the run, or of our patience with one test, whose id is returned."""
    seen, last = 0, time.monotonic()
    while process.poll() is None:
        events = _events(record)
        if len(events) > seen:
            seen, last = len(events), time.monotonic()
        if events and events[-1]["test"] is None:
            break
        if events and time.monotonic() - last > patience:
            return str(events[-1]["test"])
        time.sleep(0.05)
    return None


def _events(record: Path) -> list[dict[str, Any]]:
    # The last line may be half written.
    return [json.loads(line) for line in record.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]


# ---------------------------------------------------------------------- inside pytest, which loads this file by -p


def _note(test: str | None, *said: str, findings: Sequence[dict[str, Any]] = ()) -> None:
    if path := os.environ.get(_RECORD):
        event = {"test": test and test.partition("[")[0], "said": said, "findings": findings}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    done = json.loads(os.environ.get(_DONE, "[]"))
    items[:] = [each for each in items if each.nodeid.partition("[")[0] not in done]


def pytest_runtest_logstart(nodeid: str) -> None:
    _note(nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if findings := getattr(report, REPORT_KEY, ()):
        _note(report.nodeid, findings=findings)
    elif report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        where = f"{Path(crash.path).name}:{crash.lineno}: " if crash is not None else ""
        _note(report.nodeid, f"{report.when} failed: {where}{crash.message if crash else report.longreprtext}")
    elif report.when == "call" or report.skipped:
        _note(report.nodeid, "expected failure" if hasattr(report, "wasxfail") else report.outcome)


def pytest_warning_recorded(warning_message: Any, nodeid: str) -> None:
    if nodeid:
        text = str(warning_message.message).partition("\n")[0]
        _note(nodeid, f"a warning in the summary: {warning_message.category.__name__}: {text}")


def pytest_sessionfinish() -> None:
    _note(None)


# ---------------------------------------------------------------------- the show


def show(rule: str, test: Function, plain: Told, ours: Told) -> None:
    print(_styled(f"── {rule} {RULES[rule].title} ".ljust(100, "─"), "1;36"))
    lines = [each["line"] for each in ours.findings if each["path"] == str(test.file)]
    others = [
        each
        for each in functions_of(test.file)
        if each != test and any(each.first <= line <= each.last for line in lines if line)
    ]
    print(f"{test.file.relative_to(ROOT).as_posix()}:{test.first}\n")
    print(_indented("\n\n".join(each.code() for each in [*others, test])) + "\n")
    print(_styled("plain pytest:", "1;31"))
    print(_indented("\n".join(each[:1000] for each in plain.words)) + "\n")
    print(_styled("shared_testing:", "1;32"))
    print(_indented("\n\n".join(dict.fromkeys(each["text"] for each in ours.findings))) + "\n", flush=True)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def _styled(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def main(codes: list[str]) -> None:
    if unknown := [each for each in codes if each not in FILES]:
        sys.exit(f"pitfalls: there is no rule {', '.join(unknown)}; the rules are {', '.join(FILES)}")
    targets = {code: [FILES[code].name] for code in codes} or {code: samples_of(code) for code in FILES}
    print(f"running {', '.join(targets)} twice ...", file=sys.stderr, flush=True)
    every = [each for several in targets.values() for each in several]
    ours = run(every, LONG_PATIENCE)
    plain = run_plain(every, ours)
    for code in targets:
        tests = [each for each in functions_of(FILES[code]) if any(f["code"] == code for f in ours[each.id].findings)]
        for test in tests if codes else tests[:1]:
            show(code, test, plain[test.id], ours[test.id])
    if not codes:
        print("More of one rule: hatch run pitfalls AT101; its page: pytest --explain AT101")


def command() -> None:
    # Whoever ends the show, ends what it runs.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main(sys.argv[1:])
    except BrokenPipeError:
        # The reader has seen enough. What is still in the buffer must not complain when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    command()
