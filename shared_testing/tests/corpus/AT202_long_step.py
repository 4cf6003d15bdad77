"""Computing on the event loop."""

from __future__ import annotations

import asyncio
import gc
import importlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


# Seconds: more than a step may take, by default and in test_corpus.py.
LONG = 0.25


def compute(seconds: float) -> int:
    rounds = 0
    end = time.thread_time() + seconds
    # On one line: whoever looks now and then cannot tell the loop from its body.
    # fmt: off
    while time.thread_time() < end: rounds += sum(range(20_000))  # !! AT202
    # fmt: on
    return rounds


def count(number: int) -> int:
    return sum(range(number))  # !! AT202


async def handle() -> None:
    await asyncio.sleep(0)
    compute(LONG)


async def test_a_loop_in_python() -> None:
    await handle()


async def test_beside_others() -> None:
    await asyncio.gather(handle(), asyncio.sleep(0.01))


async def in_one_call() -> int:
    return count(40_000_000)


async def test_one_call_in_c() -> None:
    await in_one_call()


def fib(number: int) -> int:
    if number < 2:
        return number
    return fib(number - 1) + fib(number - 2)  # !! AT202


async def answer() -> int:
    return fib(32)


async def test_many_calls_of_one_function() -> None:
    """Python looks away from a function as it begins; its call is what to look at, not its ``def``."""
    await answer()


# ---- near misses


def short(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(2000))


async def in_steps() -> None:
    for _ in range(8):
        short(LONG / 5)
        await asyncio.sleep(0)


async def test_in_steps() -> None:
    await in_steps()


async def test_in_a_thread() -> None:
    await asyncio.to_thread(short, LONG)


async def test_the_tests_own_computing() -> None:
    end = time.thread_time() + LONG
    while time.thread_time() < end:
        pass


async def test_a_helper_of_the_test() -> None:
    short(LONG)


async def test_a_coroutine_of_the_test() -> None:
    async def fake() -> None:
        short(LONG)

    await fake()


async def collect() -> None:
    for _ in range(5):
        gc.collect()


async def test_a_collection() -> None:
    many = [[number] for number in range(500_000)]
    await collect()
    assert many


async def load(name: str) -> None:
    importlib.import_module(name)


async def test_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = f"import time\nend = time.thread_time() + {LONG}\nwhile time.thread_time() < end: pass"
    (tmp_path / "slow_to_import.py").write_text(slow)
    monkeypatch.syspath_prepend(tmp_path)
    await load("slow_to_import")


def test_without_a_loop() -> None:
    short(LONG)
