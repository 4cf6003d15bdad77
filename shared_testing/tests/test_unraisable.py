"""What dies in our collection after a test, and complains of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_MODES = ("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")

LEFT_OPEN = """
import gc
import warnings

class Connection:
    def __init__(self):
        self.me = self

    def __del__(self):
        warnings.warn("connection was not closed", ResourceWarning)

async def test_guilty():
    gc.disable()  # else it may be found while the test still runs
    Connection()

def test_innocent():
    gc.enable()
"""


def test_a_complaint_is_told_with_the_test_that_made_it(pytester: pytest.Pytester) -> None:
    """pytest itself would tell it in the setup of the next test, who has nothing to do with it."""
    pytester.makepyfile(LEFT_OPEN)
    result = pytester.runpytest_inprocess(*_MODES, "-W", "error", "-rA")
    result.stdout.fnmatch_lines(["PASSED *::test_innocent", "ERROR *::test_guilty*"])
    result.assert_outcomes(passed=2, errors=1)


def test_as_a_warning_it_is_one_of_the_test_that_made_it(pytester: pytest.Pytester) -> None:
    """Where warnings are no errors, nothing fails."""
    pytester.makepyfile(LEFT_OPEN)
    result = pytester.runpytest_inprocess(*_MODES, "-W", "default")
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["test_*.py::test_guilty", "*connection was not closed*"])


def test_it_is_so_for_each_schedule_of_an_explored_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(LEFT_OPEN)
    result = pytester.runpytest_inprocess(*_MODES, "-W", "error", "-rA", "--explore")
    result.stdout.fnmatch_lines(["PASSED *::test_innocent"])
    result.stdout.fnmatch_lines(["ERROR *::test_guilty*"])


def test_without_pytests_own_plugin_nothing_is_told(pytester: pytest.Pytester) -> None:
    """Who has switched it off does not want to know."""
    pytester.makepyfile(LEFT_OPEN)
    result = pytester.runpytest_subprocess(*_MODES, "-p", "no:unraisableexception")
    result.assert_outcomes(passed=2)
