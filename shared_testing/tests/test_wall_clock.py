"""Tests of builders/wall_clock.py: the wall clock jumps, and what measures time rightly does not notice."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared_testing.builders.wall_clock import WallClock


def test_it_jumps_there_and_back(wall_clock: WallClock) -> None:
    began, began_ns, monotonic = time.time(), time.time_ns(), time.monotonic()
    wall_clock.jump(3600)
    wall_clock.jump(3600)
    assert 7200 <= time.time() - began < 7300
    assert 7200e9 <= time.time_ns() - began_ns < 7300e9
    wall_clock.jump(-10_000)
    assert time.time() < began - 2700
    assert time.monotonic() - monotonic < 100
    assert repr(wall_clock) == "<WallClock: -2800 s>"


async def test_the_loop_does_not_notice(wall_clock: WallClock) -> None:
    wall_clock.jump(1e9)
    before = asyncio.get_running_loop().time()
    await asyncio.sleep(0)
    assert asyncio.get_running_loop().time() - before < 1e6


def test_it_is_right_again_in_the_next_test() -> None:
    assert time.time.__module__ == "time"
