"""State that leaks, in strict mode: the test that leaves it behind fails itself."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from shared_testing.evidence import global_state, watched_namespace

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
    return pytester.runpytest_inprocess(
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


def test_what_has_not_changed_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program has thousands of globals, and all are looked at after each test."""
    module = ModuleType("settings_of_a_program")
    module.__dict__.update(__file__="/program/settings.py", retries=3, hosts=["a", "b"], rate=2.5, modes=("r", "w"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    state = global_state.GlobalState()
    state.begin()
    monkeypatch.setattr(watched_namespace, "picture", lambda value: f"drawn: {value}")
    assert state.end("test_a") == []
    module.__dict__["rate"] = 2.25
    (change,) = state.end("test_b")
    assert (change.name, change.before, change.after) == ("rate", "drawn: 2.5", "drawn: 2.25")
    assert state.end("test_c") == []
