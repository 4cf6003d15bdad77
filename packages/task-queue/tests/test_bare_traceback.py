from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from contextlib import suppress
from typing import Any

import pytest

from task_queue import AsyncTaskQueue
from task_queue.bare_traceback import forget_variables


class Big:
    """Something that ought to be freed."""


def refuse(what: Big) -> None:
    raise ValueError(what.__class__.__name__)


@pytest.mark.parametrize("on_error", ["collect", "raise"])
async def test_errors_keep_no_variables_alive(on_error: Any) -> None:
    """The variables and arguments of a failed task are freed though its error is kept (T17)."""
    watched: list[weakref.ref[Big]] = []

    async def fail(argument: Big) -> None:
        local = Big()
        watched.extend((weakref.ref(local), weakref.ref(argument)))
        await asyncio.sleep(0)
        try:
            refuse(local)
        except ValueError as error:
            raise KeyError("outer") from error

    queue = AsyncTaskQueue(on_error=on_error)
    with suppress(KeyError):
        await queue.process_all([("a", fail, (Big(),), {})])
    gc.collect()
    assert isinstance(queue.results[0].error, KeyError)
    assert [reference() for reference in watched] == [None, None]


async def test_the_traceback_still_tells_where() -> None:
    """Files, functions and lines are printed as usual, without the queue's own frames."""

    async def fail() -> None:
        refuse(Big())

    result = await AsyncTaskQueue().process_task("a", fail)
    assert result.error is not None
    places = [(frame.name, frame.line) for frame in traceback.extract_tb(result.error.__traceback__)]
    assert places == [("fail", "refuse(Big())"), ("refuse", "raise ValueError(what.__class__.__name__)")]
    assert "in refuse" in result.error_text
    assert result.error_text.endswith("ValueError: Big\n")


async def test_a_coroutine_that_lives_on_is_left_alone() -> None:
    """The frames of an error may be those of a connection's reader that goes on: it is not closed."""
    asked: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()

    async def reader() -> None:
        while True:
            waiter = await asked.get()
            try:
                refuse(Big())
            except ValueError as error:
                waiter.set_exception(error)

    async def request() -> None:
        waiter = asyncio.get_running_loop().create_future()
        asked.put_nowait(waiter)
        await waiter

    background = asyncio.create_task(reader())
    queue = AsyncTaskQueue()
    for number in range(3):
        result = await queue.process_task(number, request)
        assert isinstance(result.error, ValueError)
        assert not background.done()
    background.cancel()
    await asyncio.wait([background])


async def test_the_traceback_of_a_shared_error_stays_short() -> None:
    """One error object raised by every task does not get a longer traceback each time."""
    shared = ValueError("the same for all")

    async def fail() -> None:
        raise shared

    await AsyncTaskQueue().process_all([(number, fail, (), {}) for number in range(1000)])
    assert len(traceback.extract_tb(shared.__traceback__)) <= 201


def test_groups_are_stripped_too() -> None:
    """The members of an exception group lose their variables with it."""
    reference: weakref.ref[Big]

    def make() -> ExceptionGroup[ValueError]:
        nonlocal reference
        local = Big()
        reference = weakref.ref(local)
        try:
            refuse(local)
        except ValueError as error:
            return ExceptionGroup("several", [error])
        raise AssertionError

    group = make()
    assert reference() is not None
    forget_variables(group)
    gc.collect()
    assert reference() is None
    assert traceback.extract_tb(group.exceptions[0].__traceback__)[-1].name == "refuse"


def test_a_cause_that_is_its_own_effect_does_not_hang() -> None:
    """A circle of causes is walked once."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    forget_variables(one)
    assert one.__cause__ is two
