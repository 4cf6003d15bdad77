"""Tests that leave a global changed, and fail another one by it. The victim's report names the writing line."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from functools import lru_cache

import pytest

cache: dict[str, str] = {}


async def fetch(key: str) -> str:
    await asyncio.sleep(0)
    cache[key] = key.upper()  # !! AT501
    return cache[key]


async def test_fills_the_cache() -> None:
    assert await fetch("alice") == "ALICE"


async def test_fails_by_the_filled_cache() -> None:
    assert "alice" not in cache


class Registry:
    handlers: list[str] = []

    @classmethod
    def register(cls, name: str) -> None:
        cls.handlers.append(name)  # !! AT501

    def count(self) -> int:
        return len(self.handlers)


async def test_registers_a_handler() -> None:
    Registry.register("first")


async def test_fails_by_the_handler() -> None:
    assert Registry().count() == 0


class Client:
    def __init__(self) -> None:
        self.token: str | None = None


client = Client()


async def log_in() -> None:
    client.token = "secret"  # !! AT501


async def greet() -> str:
    return "hello" if client.token else "who are you?"


async def test_logs_in() -> None:
    await log_in()
    assert await greet() == "hello"


async def test_fails_by_being_logged_in() -> None:
    assert await greet() == "who are you?"


connected = False


def connect() -> None:
    global connected
    connected = True  # !! AT501


def test_connects() -> None:
    connect()


def test_fails_by_the_connection() -> None:
    assert not connected


# ---------------------------------------------------------------- fine

seen: list[int] = []
calls: Counter[str] = Counter()
recent: deque[str] = deque(maxlen=3)
mode = "plain"


@pytest.fixture
def clean() -> object:
    yield
    seen.clear()


async def test_cleaned_up_by_its_fixture_is_fine(clean: object) -> None:
    seen.append(1)


async def test_that_finds_it_clean_may_fail_for_its_own_reasons() -> None:
    assert len(seen) == 1


async def test_put_back_by_monkeypatch_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "mode", "fancy")


async def test_that_finds_it_put_back_may_fail_for_its_own_reasons() -> None:
    assert mode == "fancy"


async def test_counts_is_fine_as_long_as_nobody_is_hurt() -> None:
    calls["fetch"] += 1
    recent.append("fetch")


async def test_that_reads_something_else_may_fail_for_its_own_reasons() -> None:
    assert Client().token == "secret"


async def test_that_fails_by_what_it_changed_itself_is_its_own_fault() -> None:
    recent.append("again")
    own = ["again"]
    assert own == []


@lru_cache
def square(number: int) -> int:
    return number * number


async def test_a_memo_is_fine() -> None:
    assert square(3) == 9
