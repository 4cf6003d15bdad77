"""What a user reads, and what a user may say: the reports, the marks, the settings, in whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LEAK = """
import asyncio

class Queue:
    def start(self):
        self.task = asyncio.create_task(self.poll())

    async def poll(self):
        await asyncio.sleep(3600)

async def test_leak():
    Queue().start()
    await asyncio.sleep(0)

async def test_innocent():
    await asyncio.sleep(0)
"""

TEXT = """\
AT301 task 'Queue.poll' is still running
  --> test_it.py:5 in Queue.start
   |   self.task = asyncio.create_task(self.poll())
  cause: asyncio.create_task() returned a task that nobody awaited or cancelled
  fix:   keep the task and cancel it on close, or start it in an asyncio.TaskGroup"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=source)
    modes = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]
    return pytester.runpytest_inprocess(*modes, *options)


def test_a_finding_fails_a_passing_test_with_its_text_alone(pytester: pytest.Pytester) -> None:
    """Five lines, no traceback; and the innocent test passes."""
    result = run(pytester, LEAK)
    result.assert_outcomes(failed=1, passed=1)
    printed = str(result.stdout)
    heading = f"{' test_leak ':_^80}"
    assert f"{heading}\n{TEXT}\n" in printed
    assert "Traceback" not in printed


def test_a_failing_test_has_its_findings_above_the_traceback(pytester: pytest.Pytester) -> None:
    """The cause is read before the noise."""
    result = run(pytester, LEAK.replace("await asyncio.sleep(0)\n\nasync", "assert 1 == 2\n\nasync", 1))
    result.assert_outcomes(failed=1, passed=1)
    printed = str(result.stdout)
    assert printed.index(TEXT) < printed.index("assert 1 == 2")


def test_a_finding_in_a_fixture_is_told_by_its_test(pytester: pytest.Pytester) -> None:
    """What a fixture starts and forgets fails the test that used it."""
    result = run(
        pytester,
        """
import asyncio, pytest

@pytest.fixture
async def queue():
    asyncio.create_task(asyncio.sleep(3600))
    return 1

async def test_uses_it(queue):
    assert queue == 1
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["AT301 task 'sleep' is still running", "  --> test_it.py:5 in queue"])


def test_warn_tells_and_fails_nothing(pytester: pytest.Pytester) -> None:
    """For a suite that cannot be mended in a day."""
    result = run(pytester, LEAK, "--findings=warn")
    result.assert_outcomes(passed=2)
    assert "test_it.py::test_leak\n" + TEXT in str(result.stdout)


@pytest.mark.parametrize("option", [("--findings=off",), ("-o", "findings=off"), ("-o", "findings_disable=AT301")])
def test_off_is_off(pytester: pytest.Pytester, option: tuple[str, ...]) -> None:
    """By the command line, by the ini file, or for one rule alone."""
    result = run(pytester, LEAK, *option)
    result.assert_outcomes(passed=2)
    assert "AT301" not in str(result.stdout)


def test_an_allowed_finding_is_not_reported(pytester: pytest.Pytester) -> None:
    """A test that shows a leak on purpose says so, with its reason."""
    mark = 'import pytest\n\n@pytest.mark.allow_finding("AT301", reason="it shows the leak")\nasync def test_leak'
    run(pytester, LEAK.replace("async def test_leak", mark)).assert_outcomes(passed=2)


def test_an_allowance_for_nothing_is_a_finding(pytester: pytest.Pytester) -> None:
    """A mark that has outlived its reason would hide the next bug."""
    result = run(
        pytester,
        """
import pytest

@pytest.mark.allow_finding("AT301", reason="the poller")
async def test_mended():
    pass
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["AT301 is allowed here, but was not found: the poller"])


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ('allow_finding("AT999", reason="x")', "*names no rule; the rules are AT101, *"),
        ('allow_finding("AT301")', "*needs a reason; write allow_finding(*"),
        ('allow_finding("AT301", reason=" ")', "*needs a reason*"),
        ("allow_finding()", "*names no rule*"),
    ],
)
def test_a_wrong_allowance_is_a_usage_error(pytester: pytest.Pytester, mark: str, says: str) -> None:
    """Before anything has run; the text names what exists."""
    result = run(pytester, f"import pytest\n\n@pytest.mark.{mark}\nasync def test_it():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([says])


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--findings=loud",), "*choose one of error, warn, off*"),
        (("-o", "findings=loud"), "*choose one of error, warn, off*"),
        (("-o", "findings_disable=AT1"), "*names AT1; the rules are AT101, *"),
        (("-o", "findings_step_seconds=soon"), "*findings_step_seconds = 'soon': give seconds above 0*"),
        (("-o", "findings_step_seconds=nan"), "*give seconds above 0*"),
        (("-o", "findings_block_seconds=-1"), "*findings_block_seconds = '-1': give seconds above 0*"),
        (("--findings-json=no/such/folder.jsonl",), "*--findings-json=no/such/folder.jsonl: cannot write there (*"),
        (("--explain=AT999",), "*there is no such rule; the rules are AT101, *"),
    ],
)
def test_a_wrong_setting_is_a_usage_error(pytester: pytest.Pytester, option: tuple[str, ...], says: str) -> None:
    """It names the setting, the value, and what could stand there."""
    result = run(pytester, LEAK, *option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([says])


def test_explain_prints_the_page_of_a_rule(pytester: pytest.Pytester) -> None:
    """Cause, fix, an example mended, the lint rule, and what is not seen; nothing is collected."""
    result = run(pytester, "raise SystemExit", "--explain", "AT301")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["AT301 task still running at the end", "Cause: *", "Fix:   *", "Bad:", "Good:", "Seen without running by: *"]
    )
    assert "Not seen: " in str(result.stdout)


def test_explain_all_lists_the_rules(pytester: pytest.Pytester) -> None:
    """One line per rule."""
    result = run(pytester, "", "--explain=all")
    assert "AT101 coroutine never awaited\n" in str(result.stdout)


def test_findings_are_written_as_json_lines(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """For dashboards: test, code, place, cause, fix."""
    report = tmp_path / "findings.jsonl"
    run(pytester, LEAK, f"--findings-json={report}")
    (finding,) = map(json.loads, report.read_text("utf-8").splitlines())
    assert (finding["test"], finding["code"], finding["line"]) == ("test_it.py::test_leak", "AT301", 5)
    assert finding["text"] == TEXT


def test_findings_are_properties_of_the_junit_report(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """CI systems show them beside the test."""
    report = tmp_path / "junit.xml"
    run(pytester, LEAK, f"--junit-xml={report}")
    assert 'name="async finding" value="AT301 test_it.py:5 in Queue.start"' in report.read_text("utf-8")


def test_every_loop_scope_is_watched(pytester: pytest.Pytester) -> None:
    """On a loop that outlives the test, what the test leaves is told by the test."""
    for scope in ("function", "class", "module", "session"):
        result = run(pytester, LEAK, "-o", f"asyncio_default_test_loop_scope={scope}")
        result.assert_outcomes(failed=1, passed=1)
        assert TEXT in str(result.stdout)


def test_a_users_own_loop_factory_is_watched_too(pytester: pytest.Pytester) -> None:
    """The hook of pytest-asyncio takes one answer only; the detectors do not depend on whose it is."""
    pytester.makeconftest(
        """
import asyncio

class MyLoop(asyncio.SelectorEventLoop):
    pass

def pytest_asyncio_loop_factories(config, item):
    return {"mine": MyLoop}
"""
    )
    result = run(pytester, LEAK)
    result.assert_outcomes(failed=1, passed=1)
    assert TEXT in str(result.stdout)


def test_virtual_time_stands_beside_a_users_own_loop_factory(pytester: pytest.Pytester) -> None:
    """A test that asks for the virtual clock gets its loop; all others run on what the user has chosen."""
    pytester.makeconftest(
        """
import asyncio

class MyLoop(asyncio.SelectorEventLoop):
    pass

def pytest_asyncio_loop_factories(config, item):
    return {"mine": MyLoop, "theirs": MyLoop}
"""
    )
    code = """
import asyncio

async def test_virtual(virtual_clock):
    await asyncio.sleep(3600)
    assert virtual_clock.now == 3600

async def test_mine():
    assert type(asyncio.get_running_loop()).__name__ == "MyLoop"
"""
    result = run(pytester, code, "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*::test_virtual PASSED*", "*::test_mine[[]mine[]] PASSED*"])


def test_strict_mode_is_watched_too(pytester: pytest.Pytester) -> None:
    """A marked test is a test like any other."""
    marked = LEAK.replace("async def test", "import pytest\n@pytest.mark.asyncio\nasync def test")
    result = run(pytester, marked, "-o", "asyncio_mode=strict")
    result.assert_outcomes(failed=1, passed=1)
