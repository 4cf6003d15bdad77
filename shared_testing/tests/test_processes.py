"""Tests of builders/processes.py: nothing that a test has started outlives it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shared_testing.builders.processes import Processes

_SERVE = "import time; print('up', flush=True); time.sleep(3600)"


async def test_a_process_is_killed_in_the_midst_of_its_work(processes: Processes) -> None:
    worker = await processes.start("python", "-c", _SERVE)
    assert worker.stdout is not None
    assert await worker.stdout.readline() == b"up\n"
    worker.kill()
    assert await worker.communicate() == (b"", b"")
    assert worker.returncode == -signal.SIGKILL


async def test_one_that_ends_by_itself_says_how(processes: Processes) -> None:
    worker = await processes.start("python", "-c", "import sys; print('done'); sys.exit(3)")
    assert await worker.communicate() == (b"done\n", b"")
    assert worker.returncode == 3


async def test_there_may_be_no_such_program(processes: Processes) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        await processes.start("no-such-program")


def test_what_still_runs_ends_with_its_test(pytester: pytest.Pytester) -> None:
    """The next test finds nothing of it, and nobody is told that something was left behind."""
    pytester.makepyfile(
        f"""
        import os, pytest
        started = []

        async def test_first(processes):
            worker = await processes.start("python", "-c", {_SERVE!r})
            assert await worker.stdout.readline() == b"up\\n"
            started.append(worker.pid)

        async def test_second():
            with pytest.raises(ProcessLookupError):
                os.kill(started[0], 0)
        """
    )
    options = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-o", "findings_disable=AT501", *options)
    result.assert_outcomes(passed=2)
