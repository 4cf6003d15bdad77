"""AT301 as its user meets it: tasks, timers and locks, each by its own text."""

from __future__ import annotations

import pytest

OPTIONS = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]

CASES = {
    "task": (
        """
import asyncio

class Queue:
    def start(self):
        asyncio.create_task(self._poll())

    async def _poll(self):
        await asyncio.sleep(3600)

async def test_it():
    Queue().start()
""",
        """\
AT301 task 'Queue._poll' is still running
  --> test_it.py:5 in Queue.start
   |   asyncio.create_task(self._poll())
  cause: asyncio.create_task() returned a task that nobody awaited or cancelled
  fix:   keep the task and cancel it on close, or start it in an asyncio.TaskGroup
""",
    ),
    "destroyed": (
        """
import asyncio, gc

async def wait_for_ever():
    await asyncio.get_running_loop().create_future()

async def test_it():
    asyncio.create_task(wait_for_ever())
    await asyncio.sleep(0)
    gc.collect()
""",
        """\
AT301 task 'wait_for_ever' was destroyed in the middle
  --> test_it.py:7 in test_it
   |   asyncio.create_task(wait_for_ever())
  cause: nothing held it but the loop, which does so weakly: the garbage collector took it
  fix:   keep a reference to the task until it is done, or start it in an asyncio.TaskGroup
""",
    ),
    "timer": (
        """
import asyncio

class Debounce:
    def call(self):
        asyncio.get_running_loop().call_later(3600, self.fire)

    def fire(self):
        pass

async def test_it():
    Debounce().call()
""",
        """\
AT301 timer for Debounce.fire() is still set
  --> test_it.py:5 in Debounce.call
   |   asyncio.get_running_loop().call_later(3600, self.fire)
  cause: loop.call_later() or call_at() set it, and it was neither due nor cancelled
  fix:   keep the handle that it returns, and cancel() it on close
""",
    ),
    "lock": (
        """
import asyncio

class Store:
    def __init__(self):
        self.lock = asyncio.Lock()

    async def save(self, value):
        await self.lock.acquire()
        if value is None:
            return
        self.lock.release()

async def test_it(request):
    request.node.store = Store()
    await request.node.store.save(None)
""",
        """\
AT301 lock of task 'test_it' was never released
  --> test_it.py:8 in Store.save
   |   await self.lock.acquire()
  cause: the task acquired the lock and ended: whoever wants it from now on waits for ever
  fix:   hold it in 'async with lock:', or release() it in a finally block
""",
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("options", [[], ["-W", "error"]], ids=["plain", "W-error"])
def test_the_text_stands_alone(pytester: pytest.Pytester, case: str, options: list[str]) -> None:
    """One finding, and nothing of asyncio's own in the log, the warnings or the next test."""
    source, text = CASES[case]
    pytester.makepyfile(test_it=source + "\nasync def test_innocent():\n    await asyncio.sleep(0)\n")
    result = pytester.runpytest_subprocess(*OPTIONS, *options)
    result.assert_outcomes(failed=1, passed=1)
    assert text in result.stdout.str()
    assert "destroyed but it is pending" not in result.stdout.str() + result.stderr.str()
    assert "Captured log" not in result.stdout.str()


def test_a_task_of_a_wider_loop_is_told_in_its_own_test(pytester: pytest.Pytester) -> None:
    """Its loop runs on: the next test says nothing of it."""
    pytester.makepyfile(
        test_it="""
        import asyncio, pytest
        pytestmark = pytest.mark.asyncio(loop_scope="session")
        async def test_guilty(): asyncio.create_task(asyncio.sleep(3600))
        async def test_innocent(): await asyncio.sleep(0)
        """
    )
    result = pytester.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*AT301 task 'sleep' is still running", "*in test_guilty"])
