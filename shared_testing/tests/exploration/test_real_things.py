"""Races over real sockets, threads and signals are found and replayed; their twins are quiet."""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared_testing import explore

_REAL = runpy.run_path(str(Path(__file__).with_name("real_things.py")), run_name="real_things")
_OVER = ("tcp", "unix", "udp", "socket_pairs", "own_threads", "websockets_in_memory")


@pytest.mark.parametrize("over", [*_OVER, "signals"])
def test_a_race_over_the_real_thing_is_found_and_replayed(over: str) -> None:
    """By one deviation, in a few runs."""
    race: Any = _REAL["reloaded_by_a_signal"] if over == "signals" else partial(_REAL["lost_update"], _REAL[over])
    found = explore(partial(race, mended=False), schedules=60)
    assert isinstance(found.failure, AssertionError)
    assert found.deviations == 1
    assert not found.uncontrolled
    assert isinstance(explore(partial(race, mended=False), replay=found.token).failure, AssertionError)
    assert str(explore(partial(race, mended=True), schedules=20).failure) == "None"
    assert str(explore(partial(race, mended=True), schedules=20, seed=1).failure) == "None"


def test_a_thread_of_the_programs_own_holds_the_clock() -> None:
    """No timeout fires because the thread took real time."""

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        answer = loop.create_future()

        def work() -> None:
            time.sleep(0.02)
            loop.call_soon_threadsafe(answer.set_result, 42)

        thread = threading.Thread(target=work)
        thread.start()
        async with asyncio.timeout(5):
            assert await answer == 42
        thread.join()

    assert str(explore(ask, schedules=3).failure) == "None"


def test_a_signal_from_outside_holds_the_clock() -> None:
    """It comes in real time, and no timeout fires before."""

    async def wait() -> None:
        came = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, came.set)
        sender = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
        sender.start()
        try:
            async with asyncio.timeout(5):
                await came.wait()
        finally:
            sender.join()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)

    assert str(explore(wait, schedules=3).failure) == "None"


def test_debug_mode_checks_what_it_always_checks() -> None:
    """A coroutine is no callback."""

    async def wrong() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        with pytest.raises(TypeError, match="coroutines cannot be used with call_at"):
            loop.call_later(1, wrong)

    assert str(explore(wrong, schedules=1).failure) == "None"
