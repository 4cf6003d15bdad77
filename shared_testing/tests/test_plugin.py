"""The plugin as a user meets it: installed, and nothing more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import shared_testing

_OPTIONS = ["-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]


def test_importing_the_plugin_does_not_import_aiohttp() -> None:
    """A suite without HTTP does not pay for it: aiohttp costs more to import than pytest."""
    code = "import shared_testing, shared_testing.plugin, shared_testing.fixtures, sys; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_public_name_exists() -> None:
    """__all__ is sorted, and each name in it can be had."""
    assert shared_testing.__all__ == sorted(shared_testing.__all__)
    assert [name for name in shared_testing.__all__ if not hasattr(shared_testing, name)] == []
    assert not hasattr(shared_testing, "no_such_name")


def test_the_loop_factory_leaves_test_ids_as_they_are(pytester: pytest.Pytester) -> None:
    """Virtual time must not rename anybody's tests."""
    pytester.makepyfile(
        """
        import asyncio
        async def test_real(): assert type(asyncio.get_running_loop()).__name__ != "VirtualClockLoop"
        async def test_virtual(virtual_clock): assert virtual_clock.now == 0
        """
    )
    result = pytester.runpytest_inprocess(*_OPTIONS, "-v", "-o", "asyncio_mode=auto")
    result.stdout.fnmatch_lines(["*::test_real PASSED*", "*::test_virtual PASSED*"])


def test_virtual_time_works_in_strict_mode(pytester: pytest.Pytester) -> None:
    """Those who mark each async test get the same fixtures."""
    pytester.makepyfile(
        """
        import asyncio, pytest
        @pytest.mark.asyncio
        async def test_virtual(virtual_clock):
            await asyncio.sleep(60)
            assert virtual_clock.now == 60
        """
    )
    result = pytester.runpytest_inprocess(*_OPTIONS, "-o", "asyncio_mode=strict")
    result.assert_outcomes(passed=1)


def test_virtual_clock_on_another_loop_says_what_to_do(pytester: pytest.Pytester) -> None:
    """Through an indirect request the plugin cannot see that the loop should be another one."""
    pytester.makepyfile(
        """
        async def test_indirect(request):
            request.getfixturevalue("virtual_clock")
        """
    )
    result = pytester.runpytest_inprocess(*_OPTIONS, "-o", "asyncio_mode=auto")
    result.stdout.fnmatch_lines(["*virtual_clock*"])
    assert result.ret != 0


_ALONE = ("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")

LOOPS = """
import asyncio
import gc
import weakref

loops = []

async def test_one():
    gc.disable()
    loops.append(weakref.ref(asyncio.get_running_loop()))

def test_two():
    gc.enable()
    assert loops[0]() is None
"""


def test_a_closed_loop_does_not_stay_in_memory(pytester: pytest.Pytester) -> None:
    """What is put on a loop to watch it leads back to it; frozen with it, it would stay for hundreds of tests."""
    pytester.makepyfile(LOOPS)
    pytester.runpytest_inprocess(*_ALONE).assert_outcomes(passed=2)


CLEANS_UP = """
    import asyncio, weakref
    left = []

    class Order: ...

    async def test_cancel():
        order = Order()

        async def work():
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                raise

        order.task = asyncio.create_task(work())
        order.task.order = order
        left.append(weakref.ref(order))
        await asyncio.sleep(0)
        order.task.cancel()
        await asyncio.wait([order.task])

    def test_it_is_gone():
        assert left[0]() is None
"""


def test_what_a_test_left_is_collected_with_it(pytester: pytest.Pytester) -> None:
    """No evidence that is kept about a task holds it: what dies of it would complain in the next test."""
    pytester.makepyfile(CLEANS_UP)
    pytester.runpytest_inprocess(*_ALONE).assert_outcomes(passed=2)


@pytest.mark.parametrize("run", ["inprocess", "subprocess"])
def test_a_file_that_is_written_anew_within_a_second_is_read_anew(pytester: pytest.Pytester, run: str) -> None:
    """What the other tests of this suite rely on. Before pytest 9.1 bytecode is known by its file's time and length."""
    for right in (1, 2):
        file = pytester.makepyfile(test_it=f"def test_one(): assert {right} == 1")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        result = getattr(pytester, f"runpytest_{run}")(*_OPTIONS)
        result.assert_outcomes(passed=right == 1, failed=right == 2)
