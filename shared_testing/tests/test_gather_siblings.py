"""AT702 where the corpus cannot say it: whose gather() is watched, and what a user reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_AUTO = ("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
_APP = """
    import asyncio
    from asyncio import gather

    async def fail(): raise ValueError("no")

    async def copy(): await asyncio.sleep(3600)

    async def run():
        try:
            await gather(fail(), copy())
        except ValueError:
            pass
"""


def test_a_gather_that_a_conftest_took_by_name_is_watched_too(pytester: pytest.Pytester) -> None:
    """It is imported before any plugin is configured; and the task that is left is told once."""
    pytester.makepyfile(app=_APP, conftest="import app", test_it="import app\nasync def test_it(): await app.run()\n")
    result = pytester.runpytest_subprocess(*_AUTO, "--import-mode=prepend", "--rootdir=.")
    result.stdout.fnmatch_lines(
        [
            "AT702 'copy' ran on after gather() had raised ValueError: no",
            "  --> app.py:10 in run",
            "   |   await gather(fail(), copy())",
            "  cause: gather() raises the first exception at once, and cancels none of the others",
            "  fix:   start them in an asyncio.TaskGroup, which cancels the others; or wait for all by *",
            "  note:  ValueError raised at app.py:4 in fail",
            "  note:  1 of them still running at the end",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*AT301*")


def test_a_test_that_ends_by_the_same_error_is_not_told_more(pytester: pytest.Pytester) -> None:
    """It had no chance to look after the others; the error is what counts."""
    pytester.makepyfile(
        """
        import asyncio
        async def fail(): raise ValueError("no")
        async def copy(): await asyncio.sleep(0.001)
        async def test_it(): await asyncio.gather(fail(), copy())
        """
    )
    result = pytester.runpytest_subprocess(*_AUTO)
    result.stdout.no_fnmatch_line("*AT702*")
    result.assert_outcomes(failed=1)
