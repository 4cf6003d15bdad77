"""Async tests and setups that pytest does not run."""

from __future__ import annotations

import functools
import unittest

import pytest_asyncio


async def test_with_a_yield() -> object:  # !! AT103
    yield 1


def retried(test):
    @functools.wraps(test)
    def wrapper(*args, **kwargs):
        return test(*args, **kwargs)

    return wrapper


@retried
async def test_made_sync_by_a_decorator() -> None:  # !! AT103
    assert 1 == 2


class TestSetup:
    async def setup_method(self) -> None:  # !! AT103
        self.ready = True

    def test_setup(self) -> None:
        pass


class Case(unittest.TestCase):
    async def test_in_a_plain_case(self) -> None:  # !! AT103
        raise AssertionError


class AsyncCase(unittest.IsolatedAsyncioTestCase):
    async def setUp(self) -> None:  # !! AT103
        self.ready = True

    async def test_setup(self) -> None:
        pass


class GoodCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.ready = True

    async def test_setup_is_fine(self) -> None:
        assert self.ready


@pytest_asyncio.fixture
async def client() -> str:
    return "client"


def test_an_async_fixture_in_auto_mode_is_fine(client: str) -> None:
    assert client == "client"


async def test_runs() -> None:
    pass
