"""AT305: which generators have something to clean up, and what is said about them."""

# ruff: noqa: C416, SIM105, TRY301 - the ways to write a generator are the subject.
from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.evidence.cleanup import has_cleanup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

OPTIONS = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]

ROWS = """
class Pool:
    taken = 0

async def rows(pool):
    pool.taken += 1
    try:
        yield 1
        yield 2
    finally:
        pool.taken -= 1

async def test_first():
    async for row in rows(Pool()):
        break
    assert row == 1
"""

ROWS_TEXT = """\
AT305 async generator 'rows' was not closed
  --> test_it.py:13 in test_first
   |   async for row in rows(Pool()):
  cause: it was left in the middle: its cleanup runs when it is found as garbage, in a task of its own
  fix:   iterate in 'async with contextlib.aclosing(...) as items: async for item in items:'
"""


@contextlib.asynccontextmanager
async def resource() -> AsyncIterator[int]:
    yield 1


async def plain() -> AsyncIterator[int]:
    for number in range(3):
        await asyncio.sleep(0)
        yield number


async def in_finally_block() -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        await asyncio.sleep(0)


async def in_async_with() -> AsyncIterator[int]:
    async with resource():
        for number in range(3):
            yield number


async def in_with() -> AsyncIterator[int]:
    with contextlib.suppress(KeyError):
        yield 1


async def in_a_try_for_others() -> AsyncIterator[int]:
    try:
        yield 1
    except (ValueError, KeyError):
        pass
    except TypeError as error:
        print(error)


async def in_a_try_for_groups() -> AsyncIterator[int]:
    try:
        yield 1
    except* ValueError:
        pass


async def in_a_try_within_finally() -> AsyncIterator[int]:
    try:
        try:
            yield 1
        except ValueError:
            pass
    finally:
        await asyncio.sleep(0)


async def in_a_try_for_its_end() -> AsyncIterator[int]:
    try:
        yield 1
    except KeyError:
        pass
    except (asyncio.CancelledError, GeneratorExit):
        print("cleanup")
        raise


async def in_a_bare_try() -> AsyncIterator[int]:
    try:
        yield 1
    except:
        print("cleanup")
        raise


async def over_another() -> AsyncIterator[int]:
    async for number in plain():
        yield number


async def over_another_within_finally() -> AsyncIterator[list[int]]:
    try:
        async for number in plain():
            yield [each for each in range(number + 2)]
    finally:
        await asyncio.sleep(0)


async def after_its_cleanup() -> AsyncIterator[int]:
    try:
        await asyncio.sleep(0)
    finally:
        await asyncio.sleep(0)
    yield 1


async def in_an_except() -> AsyncIterator[int]:
    try:
        raise ValueError
    except ValueError:
        yield 1


async def in_the_finally_itself() -> AsyncIterator[int]:
    try:
        await asyncio.sleep(0)
    finally:
        yield 1


@pytest.mark.parametrize(
    "generator",
    [
        in_finally_block,
        in_async_with,
        in_with,
        in_a_try_within_finally,
        in_a_try_for_its_end,
        in_a_bare_try,
        over_another_within_finally,
    ],
)
async def test_something_to_clean_up(generator: Callable[[], Any]) -> None:
    """Closing it here would run some of its code."""
    assert await stands_in_cleanup(generator())


@pytest.mark.parametrize(
    "generator",
    [
        plain,
        in_a_try_for_others,
        in_a_try_for_groups,
        over_another,
        after_its_cleanup,
        in_an_except,
        in_the_finally_itself,
    ],
)
async def test_nothing_to_clean_up(generator: Callable[[], Any]) -> None:
    """Closing it here would do nothing: whoever leaves it does no harm."""
    assert not await stands_in_cleanup(generator())


async def stands_in_cleanup(generator: Any) -> bool:
    async with contextlib.aclosing(generator):
        await anext(generator)
        return has_cleanup(generator.ag_code, generator.ag_frame.f_lasti)


def test_the_text(pytester: pytest.Pytester) -> None:
    """The line is that of the loop which left it."""
    pytester.makepyfile(test_it=ROWS)
    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(failed=1)
    assert ROWS_TEXT in result.stdout.str()


def test_a_loop_that_the_failure_ended_says_nothing(pytester: pytest.Pytester) -> None:
    """It was left in the middle as the test was."""
    pytester.makepyfile(test_it=ROWS.replace("        break", "        assert row == 2"))
    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(failed=1)
    assert "AT305" not in result.stdout.str()
