"""Beside the plugins, loops and kinds of test that a suite already has."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_MODES = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider")

LEAKS = """
import asyncio, pytest

@pytest.mark.parametrize("number", range(6))
async def test_leak(number):
    if number % 2:
        asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
"""

STUCK = """
import asyncio

async def test_stuck():
    await asyncio.Event().wait()

async def test_next():
    await asyncio.sleep(0.001)
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=source)
    return pytester.runpytest_subprocess(*_MODES, *options)


# ---------------------------------------------------------------------- other plugins


def test_xdist_fails_the_right_tests_and_writes_every_report(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """Findings are made in the workers, and told by the controller."""
    report, junit = tmp_path / "findings.jsonl", tmp_path / "junit.xml"
    result = run(pytester, LEAKS, "-p", "xdist", "-n2", f"--findings-json={report}", f"--junit-xml={junit}")
    result.assert_outcomes(passed=3, failed=3)
    told = sorted((each["test"], each["code"]) for each in map(json.loads, report.read_text("utf-8").splitlines()))
    assert told == [(f"test_it.py::test_leak[{n}]", "AT301") for n in (1, 3, 5)]
    assert junit.read_text("utf-8").count('name="async finding" value="AT301 test_it.py:6 in test_leak"') == 3


def test_xdist_tells_warnings_and_crashes_in_the_summary(pytester: pytest.Pytester) -> None:
    """What a worker prints is lost: the summary is the controller's."""
    pytester.makeconftest(
        """
        from shared_testing.detectors.leaked_timer import LeakedTimer

        def broken(self, scope):
            raise ValueError("broken")

        LeakedTimer.finish = broken
        """
    )
    result = run(pytester, LEAKS, "-p", "xdist", "-n2", "--findings=warn")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines_random(
        [
            *(f"test_it.py::test_leak[[]{n}[]]" for n in (1, 3, 5)),
            "shared_testing: the detector of AT301 crashed: ValueError: broken; no test was failed by it, *",
        ]
    )
    assert str(result.stdout).count("ValueError: broken") == 1


def test_randomly_changes_nothing_that_is_found(pytester: pytest.Pytester) -> None:
    """It shuffles the tests, and seeds the generators before each: no state of the tests' own."""
    seeded = LEAKS + "\nasync def test_random():\n    import random; random.random()\n"
    result = run(pytester, seeded, "-p", "randomly", "-o", "findings_strict_state=true", "-v")
    result.assert_outcomes(passed=4, failed=3)
    result.stdout.fnmatch_lines_random([f"FAILED test_it.py::test_leak[[]{n}[]] - AT301 *" for n in (1, 3, 5)])


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_stuck_test_ends_by_its_proof_and_not_by_its_timeout(pytester: pytest.Pytester, method: str) -> None:
    """pytest-timeout's timer, be it a thread, is no finding and wakes nobody; the next test runs."""
    result = run(pytester, STUCK, "-p", "timeout", "--timeout=120", f"--timeout-method={method}")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["AT402 'test_stuck' waits for an Event, *"])
    result.stdout.no_fnmatch_line("*Timeout*")


# ---------------------------------------------------------------------- other loops

UVLOOP = """
import pytest, uvloop

def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}
"""

ON_UVLOOP = """
import asyncio, time

async def compute(): ...

def read():
    return open(__file__)

async def test_task():
    asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)

async def test_await():
    compute()

async def test_blocking():
    time.sleep(0.001)

async def test_exception():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)

async def test_timers():
    loop = asyncio.get_running_loop()
    loop.call_later(3600, print)
    loop.call_at(loop.time(), print).cancel()
    loop.call_at(loop.time() + 3600, print)

async def test_virtual(virtual_clock):
    await asyncio.sleep(3600)
    assert virtual_clock.now == 3600
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop for Windows")
def test_on_uvloop_what_can_be_seen_is_seen_and_the_rest_is_said_once(pytester: pytest.Pytester) -> None:
    """Its selector, steps and transports lie in C: a test that is stuck there stays stuck, and one must know that."""
    pytester.makeconftest(UVLOOP)
    result = run(pytester, ON_UVLOOP)
    result.assert_outcomes(failed=4, passed=2)
    rules = {"task": "AT301", "await": "AT101", "blocking": "AT201", "exception": "AT701"}
    result.stdout.fnmatch_lines_random([f"FAILED test_it.py::test_{name} - {code} *" for name, code in rules.items()])
    (told,) = [line for line in result.outlines if line.startswith("shared_testing: ")]
    assert told == (
        "shared_testing: tests ran on uvloop.Loop, where AT202, AT402 see nothing; AT201, AT301, AT302, AT304, AT305, "
        "AT403, AT702 see only a part (pytest --explain CODE says which)"
    )


def test_each_of_several_loop_factories_is_watched(pytester: pytest.Pytester) -> None:
    """pytest-asyncio runs a test once for each, and names it after them."""
    pytester.makeconftest(
        """
        import asyncio

        class First(asyncio.SelectorEventLoop): ...
        class Second(asyncio.SelectorEventLoop): ...

        def pytest_asyncio_loop_factories(config, item):
            return {"first": First, "second": Second}
        """
    )
    result = run(pytester, LEAKS, "-k", "1")
    result.assert_outcomes(failed=2, deselected=10)
    result.stdout.fnmatch_lines_random(
        [f"FAILED test_it.py::test_leak[[]*{name}*[]] - AT301 *" for name in ("first", "second")]
    )


# ---------------------------------------------------------------------- kinds of test, settings

KINDS = """
import asyncio, unittest
import pytest, pytest_asyncio

async def setup(): await asyncio.sleep(3600)
async def teardown(): await setup()
async def parameter(): await setup()
async def method(): await setup()

@pytest_asyncio.fixture
async def resource():
    asyncio.create_task(setup())
    yield 1
    asyncio.create_task(teardown())

@pytest.mark.asyncio
async def test_async_generator_fixture(resource):
    assert resource == 1

@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["a", "b"])
async def test_parametrised(name):
    if name == "b":
        asyncio.create_task(parameter())

class TestClass:
    @pytest.mark.asyncio
    async def test_method(self):
        asyncio.create_task(method())

    @pytest.mark.asyncio
    async def test_quiet(self):
        await asyncio.sleep(0)

class Case(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        await asyncio.sleep(0)

    async def test_case(self):
        await forgotten()

    async def test_forgets(self):
        forgotten()

async def forgotten(): ...
"""


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_every_kind_of_test_has_its_own_findings(pytester: pytest.Pytester, mode: str) -> None:
    """Fixtures that yield, parameters, classes, unittest; no test has another's."""
    report = pytester.path / "findings.jsonl"
    result = run(pytester, KINDS, "-o", f"asyncio_mode={mode}", "-W", "error", f"--findings-json={report}")
    lines = map(json.loads, report.read_text("utf-8").splitlines())
    assert {(each["test"].partition("::")[2], each["symptom"]) for each in lines} == {
        ("test_async_generator_fixture", "task 'setup' is still running"),
        ("test_async_generator_fixture", "task 'teardown' is still running"),
        ("test_parametrised[b]", "task 'parameter' is still running"),
        ("TestClass::test_method", "task 'method' is still running"),
        ("Case::test_forgets", "coroutine 'forgotten' was never awaited"),
    }
    result.assert_outcomes(failed=4, passed=3)


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_a_loop_of_any_scope_is_looked_at_after_each_test(pytester: pytest.Pytester, scope: str) -> None:
    """With asyncio's debug mode and each warning an error, too."""
    options = ("-o", f"asyncio_default_test_loop_scope={scope}", "-o", f"asyncio_default_fixture_loop_scope={scope}")
    result = run(pytester, LEAKS, *options, "-o", "asyncio_debug=true", "-W", "error")
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines([f"FAILED test_it.py::test_leak[[]{n}[]] - AT301 *" for n in (1, 3, 5)])
