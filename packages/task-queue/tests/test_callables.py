from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable  # noqa: TC003 - an annotation here is read at run time
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, Mock

import pytest

from task_queue import AsyncTaskQueue, NotAsyncError
from task_queue.callables import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable


async def coroutine_function(value: int = 5) -> int:
    await asyncio.sleep(0)
    return value


def plain() -> int:
    return 5


def says_so(future: Any) -> Awaitable[int]:
    return future  # type: ignore[no-any-return]


def says_something_unknown() -> Unheard:  # type: ignore[name-defined]  # noqa: F821
    return 5


def mentions() -> Any:
    return coroutine_function()


def wrapped(func: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapper


def well_wrapped(func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapper


class Service:
    async def fetch(self) -> int:
        return 5

    async def __call__(self) -> int:
        return 5

    @classmethod
    async def of_class(cls) -> int:
        return 5

    @staticmethod
    async def static() -> int:
        return 5


class Old:
    def __call__(self) -> int:
        return 5


async def generator() -> Any:
    yield 5


AWAITABLE = {
    "async def": coroutine_function,
    "partial": functools.partial(coroutine_function, 5),
    "method": Service().fetch,
    "object": Service(),
    "class method": Service.of_class,
    "static method": Service.static,
    "partial of an object": functools.partial(Service()),
    "decorated": wrapped(coroutine_function),
    "decorated with wraps": well_wrapped(coroutine_function),
    "plain function that mentions one": mentions,
    "lambda": lambda: coroutine_function(),
    "mock": AsyncMock(return_value=5),
    "decorated mock": wrapped(AsyncMock(return_value=5)),
    "of asyncio": functools.partial(asyncio.sleep, 0, 5),
}


@pytest.mark.parametrize("func", AWAITABLE.values(), ids=list(AWAITABLE))
async def test_whatever_can_be_awaited_is(func: Any) -> None:
    """Every usual form of an async callable works."""
    result = await AsyncTaskQueue().process_task("a", func)
    assert (result.error, result.result) == (None, 5)


async def test_a_future_may_be_returned() -> None:
    """A plain function that says it returns an awaitable may return any."""
    future = asyncio.get_running_loop().create_future()
    future.set_result(5)
    assert (await AsyncTaskQueue().process_task("a", says_so, future)).result == 5


async def test_a_synchronous_function_is_refused_before_it_runs() -> None:
    """It is not called at all: its work would be done, and be reported as a failure (T11)."""
    side: list[int] = []

    def sync() -> int:
        side.append(1)
        return 5

    bad, good = await AsyncTaskQueue().process_all([("a", sync, (), {}), ("b", coroutine_function, (), {})])
    assert side == []
    assert isinstance(bad.error, NotAsyncError)
    assert "task 'a'" in str(bad.error)
    assert "threads=True" in str(bad.error)
    assert (bad.attempts, good.result) == (0, 5)


async def test_a_lambda_that_returns_a_value_is_told() -> None:
    """What turns out not to be awaitable is this task's error, and names the function and what it returned."""
    result = await AsyncTaskQueue().process_task("a", lambda: 5)
    assert isinstance(result.error, NotAsyncError)
    assert "returned int" in str(result.error)


async def test_a_coroutine_in_place_of_a_function_is_told_and_closed() -> None:
    """The usual slip, calling the function oneself, is named; Python does not warn of a lost coroutine."""
    result = await AsyncTaskQueue().process_task("a", coroutine_function())  # type: ignore[arg-type]
    assert "not a function" in str(result.error)


@pytest.mark.parametrize(
    ("func", "kind"),
    [
        (plain, Kind.PLAIN), (print, Kind.PLAIN), (Old(), Kind.PLAIN), (int, Kind.PLAIN),
        (says_something_unknown, Kind.PLAIN),
        (functools.partial(plain), Kind.PLAIN), (generator, Kind.GENERATOR),
        (5, Kind.NOT_CALLABLE), (None, Kind.NOT_CALLABLE),
        (says_so, Kind.PERHAPS), (Mock(), Kind.PERHAPS), (coroutine_function, Kind.ASYNC), (Service(), Kind.ASYNC),
    ],
)  # fmt: skip
def test_the_kind_is_known_without_a_call(func: object, kind: Kind) -> None:
    """A function's kind is read from what it is and says."""
    assert kind_of(func) is kind
