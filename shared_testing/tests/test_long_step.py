"""AT202 as its user meets it: the line where the time went, and the limit that can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

OPTIONS = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]

COMPUTING = """
import asyncio, time

def checksum(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end: sum(range(20_000))

async def store():
    await asyncio.sleep(0)
    checksum(0.4)

async def test_store():
    await store()

async def test_innocent():
    await asyncio.sleep(0)
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=source)
    return pytester.runpytest_subprocess(*OPTIONS, *options, timeout=60)


def test_the_line_is_named_where_the_time_went(pytester: pytest.Pytester) -> None:
    """Not the await that led there, and not the def line of the task."""
    result = run(pytester, COMPUTING)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "AT202 a long computation blocks the event loop",
            "  --> test_it.py:5 in checksum",
            "   |   while time.thread_time() < end: sum(range(20_000))",
            "  cause: no other task, timer or connection is served while this line computes",
            "  fix:   await asyncio.to_thread(...) it *",
            "  note:  0.* s of CPU in one step, * of it here; allowed are 0.2 s",
        ],
        consecutive=True,
    )


def test_the_limit_can_be_set(pytester: pytest.Pytester) -> None:
    """A suite that computes on purpose says how much."""
    run(pytester, COMPUTING, "-o", "findings_step_seconds=2").assert_outcomes(passed=2)


def test_a_tracer_makes_everything_slower(pytester: pytest.Pytester) -> None:
    """Under coverage or a debugger the limit is wider: the code is not to blame."""
    traced = COMPUTING + "\nimport sys\n\ndef setup_module():\n    sys.settrace(lambda *_: None)\n"
    run(pytester, traced).assert_outcomes(failed=1, passed=1)
    run(pytester, "import sys\nsys.settrace(lambda *_: None)\n" + COMPUTING).assert_outcomes(passed=2)


def test_waiting_is_no_computing(pytester: pytest.Pytester) -> None:
    """Wall time does not count: a step that sleeps is another rule's."""
    asleep = COMPUTING.replace("checksum(0.4)", "time.sleep(0.4)")
    result = run(pytester, asleep)
    assert "AT202" not in str(result.stdout)
    assert "AT201 time.sleep(0.4)" in str(result.stdout)


def test_a_run_inside_this_one_is_its_own_affair(pytester: pytest.Pytester) -> None:
    """A plugin's own tests run pytest inside pytest: what computes there is not told a second time out here."""
    pytester.makepyfile(test_it=COMPUTING)
    pytester.runpytest_inprocess(*OPTIONS).assert_outcomes(failed=1, passed=1)


LISTENING = """
import sys, threading

read = []

def hear(event, arguments):
    if event in ("open", "import") and threading.current_thread() is not threading.main_thread():
        read.append(arguments[0])

sys.addaudithook(hear)

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"read elsewhere: {read}")
"""


def test_who_looks_reads_no_file(pytester: pytest.Pytester) -> None:
    """Whoever reads gives way, and comes back after the next call in C that takes long: which it then never saw."""
    pytester.makeconftest(LISTENING)
    result = run(pytester, COMPUTING)
    result.assert_outcomes(failed=1, passed=1)
    assert "read elsewhere: []" in result.outlines
