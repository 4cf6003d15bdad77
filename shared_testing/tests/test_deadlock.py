"""A test that can never end is ended, by proof; the others run on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WIDER = """\
import asyncio
import pytest
import pytest_asyncio

class Feed:
    def __init__(self):
        self.queue = asyncio.Queue()
        self.task = asyncio.create_task(self.pump())

    async def pump(self):
        while True:
            await asyncio.sleep(0.01)
            self.queue.put_nowait(1)

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def feed():
    feed = Feed()
    yield feed
    feed.task.cancel()

@pytest.mark.asyncio
async def test_waits_on_the_wrong_loop(feed):
    assert await feed.queue.get() == 1

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fresh_feed():
    feed = Feed()
    yield feed
    feed.task.cancel()

@pytest.mark.asyncio(loop_scope="module")
async def test_waits_on_the_right_loop(fresh_feed):
    assert await fresh_feed.queue.get() == 1
"""

WIDER_TEXT = """\
AT402 'test_waits_on_the_wrong_loop' waits on the function-scoped loop for what only task 'Feed.pump' on the \
module-scoped loop could bring
  --> test_it.py:15 in feed
   |   @pytest_asyncio.fixture(scope="module", loop_scope="module")
  cause: the module-scoped loop runs only during its own fixtures and tests; while this test waits, it stands still
  fix:   put the test on the same loop, with @pytest.mark.asyncio(loop_scope="module"), or give fixture 'feed' \
loop_scope="function"
  note:  'test_waits_on_the_wrong_loop' waits at test_it.py:23 in test_waits_on_the_wrong_loop: \
assert await feed.queue.get() == 1
  note:  task 'Feed.pump' waits on the module-scoped loop at test_it.py:12 in Feed.pump
  note:  the test runs on the function-scoped loop: test_it.py:21 in test_waits_on_the_wrong_loop: @pytest.mark.asyncio\
"""

LOOPS_OF_THEIR_OWN = """
import asyncio
import unittest

async def stuck():
    await asyncio.Queue().get()

def test_run():
    asyncio.run(stuck())

class TestCase(unittest.IsolatedAsyncioTestCase):
    async def test_case(self):
        await stuck()

def test_innocent():
    assert asyncio.run(asyncio.sleep(0, 1)) == 1
"""

DEAF = """
import asyncio

async def deaf():
    while True:
        try:
            await asyncio.sleep(0.01)
        except BaseException:
            pass

async def test_leaves_one_behind():
    asyncio.create_task(deaf())
    await asyncio.sleep(0)

async def test_polls():
    while True:
        await asyncio.sleep(0)

async def test_innocent():
    await asyncio.sleep(0)
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=source)
    return pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function", "-v", *options, timeout=30
    )


def test_a_wait_for_another_loop_names_both_and_what_to_change(pytester: pytest.Pytester) -> None:
    """The one that could bring the item stands still, though it has a timer."""
    result = run(pytester, WIDER)
    assert WIDER_TEXT in result.stdout.str()
    result.stdout.fnmatch_lines(["*::test_waits_on_the_wrong_loop FAILED*", "*::test_waits_on_the_right_loop PASSED*"])


def test_a_loop_of_the_tests_own_is_seen_too(pytester: pytest.Pytester) -> None:
    """asyncio.run() in a plain test, and unittest's async cases."""
    run(pytester, LOOPS_OF_THEIR_OWN, "-W", "error").assert_outcomes(failed=2, passed=1)


def test_what_goes_round_for_ever_does_not_hold_the_process(pytester: pytest.Pytester) -> None:
    """A poll that is in vain is ended; a task that nothing can end does not spin when the interpreter destroys it."""
    result = run(pytester, DEAF, "-o", "asyncio_mode=auto", "-W", "error")
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        ["AT403 'deaf' was cancelled, and runs on", "AT402 livelock: 'test_polls' looks again *"]
    )


def test_switched_off_it_patches_nothing(pytester: pytest.Pytester) -> None:
    """Each detector can be switched off alone; then asyncio is as it was."""
    source = """
        import asyncio
        def test_it():
            own = [asyncio.Lock.acquire, asyncio.Queue.put_nowait, asyncio.Event._get_loop, asyncio.Runner.run]
            own += [asyncio.BaseEventLoop.run_forever, asyncio.Timeout.__aexit__, asyncio.runners._cancel_all_tasks]
            for function in own:
                assert "shared_testing" not in function.__code__.co_filename, function
        """
    pytester.makepyfile(source)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-o", "findings_disable=AT402 AT403 AT502")
    result.assert_outcomes(passed=1)


PROGRAM = """\
import asyncio
from shared_testing import watch

async def main():
    async with watch() as findings:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("cleaned up")
    print(findings[0])

asyncio.run(main())
"""

PROGRAM_SAYS = """\
cleaned up
AT402 'main' waits for an Event, and nobody is left to call set()
  --> program.py:7 in main
   |   await asyncio.Event().wait()
  cause: no other task, timer, connection or thread is left that could call set()
  fix:   start what calls set() before you wait, and let it do so on its error paths too
"""


def test_watch_ends_a_deadlock_without_pytest(tmp_path: Path) -> None:
    """The main task is cancelled, its cleanup runs, and the finding is in the list."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == PROGRAM_SAYS
