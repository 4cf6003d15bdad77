"""AT701 where the corpus cannot say it: what stands in the log."""

from __future__ import annotations

import pytest

_AUTO = ("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.mark.parametrize("kept", ["", "KEPT.append"])
def test_no_record_reaches_the_log_of_another_test(pytester: pytest.Pytester, kept: str) -> None:
    """asyncio writes it when the task is destroyed, whoever's test that is."""
    pytester.makepyfile(
        f"""
        import asyncio, gc
        KEPT = []
        async def fail(): raise ValueError("lost")
        async def test_it():
            {kept}(asyncio.create_task(fail()))
            await asyncio.sleep(0)
        def test_innocent(caplog):
            KEPT.clear()
            gc.collect()
            assert caplog.text == ""
        """
    )
    result = pytester.runpytest_subprocess(*_AUTO, "-W", "error")
    result.stdout.fnmatch_lines(
        [
            "AT701 task 'fail' failed with ValueError: lost, and nobody looked",
            "  --> *:3 in fail",
            '   |   async def fail(): raise ValueError("lost")',
            "  cause: the task failed, and nobody awaited it or asked for its exception",
            "  fix:   await the task, start it in an asyncio.TaskGroup, or log its exception in a done callback",
            "  note:  task created at *:5 in test_it",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*never retrieved*")
    result.assert_outcomes(failed=1, passed=1)
