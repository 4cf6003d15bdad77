"""The suite across the packages runs suites of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


@pytest.fixture
def run_suite(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """``run_suite(tests)``: the result of a suite with that one file, or with those of `others` by their names, and
    a `conftest`, in a folder of its own.
    """

    def run(*tests: str, conftest: str = "", **others: str) -> pytest.RunResult:
        pytester.makefile(".ini", pytest=_INI)
        pytester.makeconftest(conftest)
        pytester.makepyfile(*tests, **others)
        # Strangers' plugins stay out; hypothesis' would import the whole of it anew in each run.
        without = ("cacheprovider", "hypothesispytest", "randomly", "timeout", "xdist")
        # Whoever runs this suite may have imported pytest-asyncio before pytest could rewrite its asserts.
        quiet = "-Wignore::pytest.PytestAssertRewriteWarning"
        return pytester.runpytest_inprocess(quiet, *(f"-pno:{name}" for name in without))

    return run
