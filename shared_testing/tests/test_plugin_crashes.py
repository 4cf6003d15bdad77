"""A detector that crashes says so, and takes nobody's test with it: on every path by which it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_MODES = ("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")

BROKEN = """
import sys
import shared_testing.watch
from shared_testing.detectors.detector import Detector
from shared_testing.detectors.leaked_task import RULE

def broken(name):
    def subscriber(*args):
        raise LookupError(name)
    subscriber.__qualname__ = name
    return subscriber

class Broken(Detector):
    rules = (RULE,)

    def install(self, observer):
        for name, listeners in vars(observer).items():
            if isinstance(listeners, list):
                listeners.append(broken(name))
        raise LookupError("install")

for name in ("uninstall", "start", "closing", "finish", "is_ending"):
    setattr(Broken, name, broken(name))

# The function of that name hides the module.
watch = sys.modules["shared_testing.watch"]
make_detectors = watch.make_detectors
watch.make_detectors = lambda settings: [Broken(), *make_detectors(settings)]
"""

PROGRAM = """
import asyncio

async def test_everything_is_called():
    loop = asyncio.get_running_loop()
    loop.call_later(3600, print).cancel()
    loop.call_soon(lambda: asyncio.current_task().x)
    task = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

async def test_stuck():
    await asyncio.get_running_loop().create_future()

def test_failing():
    assert 1 == 2

async def test_leak():
    asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)

def test_fine():
    pass
"""


def test_no_test_is_changed_by_a_detector_that_crashes_everywhere(pytester: pytest.Pytester) -> None:
    """Results and the findings of the others are as they would be; each path is told once."""
    pytester.makepyfile(broken=BROKEN, test_it=PROGRAM)
    pytester.syspathinsert()
    result = pytester.runpytest_subprocess(*_MODES, "-p", "broken")
    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(
        [
            "AT701 *'x'*",
            "AT402 'test_stuck' waits for *",
            "E       assert 1 == 2",
            "AT301 task 'sleep' is still running",
        ]
    )
    told = [line.partition("crashed: LookupError: ")[2] for line in result.outlines if "LookupError" in line]
    paths = ["install", "start", "closing", "finish", "is_ending", "on_task", "on_future", "on_timer"]
    paths += ["on_error", "on_cancel", "on_failure", "on_standstill", "before_collection"]
    assert {each.partition(";")[0] for each in told} >= set(paths)
    assert len(told) == len(set(told))
    result.stdout.fnmatch_lines(["shared_testing: *; no test was failed by it, please report it"])


def test_what_stands_in_the_users_own_calls_is_harmless(pytester: pytest.Pytester) -> None:
    """To find the user's line is what each patched function does, and where it could go wrong."""
    pytester.makepyfile(
        broken="""
        import shared_testing.plugin
        from shared_testing.detectors import left_behind, unclosed, unclosed_file
        from shared_testing.evidence import audited_calls, births, holders, loop_lives, mocks

        def broken(*args):
            raise LookupError("broken")

        for module in (left_behind, unclosed, unclosed_file, audited_calls, births, holders, loop_lives, mocks):
            for name in (
                "is_users", "is_users_frame", "users_code",
                "user_frame", "user_frame_and_code", "user_site", "site_of_frame",
            ):
                if hasattr(module, name):
                    setattr(module, name, broken)
        """,
        test_it="""
        import asyncio, socket, threading, time
        from unittest.mock import AsyncMock

        async def test_it(tmp_path):
            (tmp_path / "x").write_text("x")
            time.sleep(0)
            async with asyncio.Lock(): ...
            asyncio.new_event_loop().close()
            asyncio.Queue().put_nowait(1)
            await asyncio.gather(asyncio.to_thread(open(tmp_path / "x").close))
            assert await AsyncMock(return_value=1)() == 1
            for each in socket.socketpair():
                each.close()
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()
        """,
    )
    pytester.syspathinsert()
    result = pytester.runpytest_subprocess(*_MODES, "-p", "broken")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines_random(
        [f"shared_testing: {name}() crashed: LookupError: broken; *" for name in ("_near", "_deed", "maker", "_file")]
    )
