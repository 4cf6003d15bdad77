"""What is read off a class: forms of methods and attributes that are rarer than those of test_mocks.py."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, Self

import pytest

from shared_testing import ImpossibleStub, NotStubbed, mock_of, on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager


class Slotted:
    __slots__ = ("_hidden", "size")

    def __init__(self, size: int) -> None:
        self.size = size


class Rows:
    """Iterated over, one row after another."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        raise StopAsyncIteration


class Pool:
    Error = ValueError
    retries = 3
    on_close: Callable[[], None] | None = None
    size: int = None  # type: ignore[assignment] # as libraries write it for "set later"

    def connection(self) -> AbstractAsyncContextManager[int]:
        raise NotImplementedError

    def rows(self) -> Rows:
        raise NotImplementedError

    def chunks(self) -> AsyncIterator[bytes]:
        raise NotImplementedError

    def submit(self, work: Callable[[], Any]) -> asyncio.Future[int]:
        raise NotImplementedError

    def run(self) -> Coroutine[Any, Any, str]:
        raise NotImplementedError

    @functools.lru_cache  # noqa: B019 - as it is found in the wild
    def cached(self, key: str) -> int:
        raise NotImplementedError

    def _private(self, /, first: int, *rest: str, flag: bool = False, **more: int) -> int:
        raise NotImplementedError

    @property
    def later(self) -> Coroutine[Any, Any, int]:
        raise NotImplementedError


class NotThere:
    async def fetch(self, what: NotImported) -> NotImported:  # type: ignore[name-defined] # noqa: F821
        raise NotImplementedError


def test_slots_are_attributes() -> None:
    """Without a type, if nothing says it."""
    mock = mock_of(Slotted, size=3)
    assert mock.size == 3
    with pytest.raises(AttributeError, match="Slotted has no 'colour'"):
        mock.colour = "red"  # type: ignore[attr-defined]


def test_what_the_class_holds_is_its_own() -> None:
    """Constants and classes in it, and a default that an annotation goes with."""
    pool = mock_of(Pool)
    assert (pool.Error, pool.retries, pool.on_close) == (ValueError, 3, None)


def test_a_default_of_another_type_is_none() -> None:
    """An instance never holds it: ``aiohttp.ClientResponse.status`` is one of those."""
    with pytest.raises(NotStubbed, match=r"Pool.size was read"):
        mock_of(Pool).size  # noqa: B018
    assert mock_of(Pool, size=3).size == 3


async def test_what_annotations_say_is_given() -> None:
    """A plain method may give anything that is awaited, entered or iterated over."""
    pool = mock_of(Pool, later=5)
    on(pool.connection).returns(1)
    on(pool.chunks).returns([b"a", b"b"])
    on(pool.submit).returns(2)
    on(pool.run).returns("done")
    on(pool.rows).returns([1, 2])
    async with pool.connection() as number:
        assert number == 1
    assert [chunk async for chunk in pool.chunks()] == [b"a", b"b"]
    assert await pool.submit(print) == 2
    assert await pool.run() == "done"
    assert await pool.later == 5
    assert [row async for row in pool.rows()] == [1, 2]
    with pytest.raises(ImpossibleStub, match="gives int"):
        on(pool.submit).returns("two")


async def test_the_object_itself_may_be_given() -> None:
    """A future in the place of what it will give."""
    pool = mock_of(Pool)
    future = asyncio.get_running_loop().create_future()
    on(pool.submit).returns(future)
    assert pool.submit(print) is future


async def test_every_form_of_parameter() -> None:
    """They are bound as Python binds them."""
    pool = mock_of(Pool)
    on(pool._private).returns(1)
    on(pool.cached).returns(2)
    assert pool._private(1, "a", "b", flag=True, extra=3) == 1
    assert pool._private(2) == 1
    assert on(pool._private).calls == [{"first": 1, "rest": ("a", "b"), "flag": True, "extra": 3}, {"first": 2}]
    assert pool.cached("x") == 2
    with pytest.raises(TypeError, match="the class says more: int"):
        pool._private(1, extra="three")  # type: ignore[arg-type]


async def test_a_type_that_cannot_be_found_is_not_checked() -> None:
    """Better no check than a false one."""
    mock = mock_of(NotThere)
    on(mock.fetch).returns(3)
    assert await mock.fetch("anything") == 3
