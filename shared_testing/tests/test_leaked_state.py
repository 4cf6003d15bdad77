"""State that leaks, in strict mode: the test that leaves it behind fails itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SOURCE = """\
import pytest

cache = {}

def remember(key):
    cache[key] = True

def test_fills():
    remember("a")

def test_fills_and_empties():
    remember("b")
    cache.clear()
    remember("a")

@pytest.fixture
def empty():
    yield
    cache.clear()

def test_is_cleaned_up(empty):
    remember("c")
"""

TEXT = """\
AT501 'cache' is changed for every later test
  --> test_it.py:6 in remember
   |   cache[key] = True
  cause: this test found {} and left {'a': True}
  fix:   put it back in a fixture's teardown (monkeypatch does), or keep the state in an object that each test makes
  note:  cache is defined at test_it.py:3 in <module>"""


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=SOURCE)
    return pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function", *options
    )


def test_nobody_fails_as_long_as_nobody_is_hurt(pytester: pytest.Pytester) -> None:
    """A cache that is filled is no fault, unless a later test fails by it."""
    run(pytester).assert_outcomes(passed=3)


def test_strict_mode_fails_the_test_that_leaves_it_changed(pytester: pytest.Pytester) -> None:
    """What is as it was when the test began, or is put back by a fixture, was not left behind."""
    result = run(pytester, "-o", "findings_strict_state=true", "-v")
    assert TEXT in result.stdout.str()
    result.stdout.fnmatch_lines(["*::test_fills FAILED*", "*::test_fills_and_empties PASSED*"])
