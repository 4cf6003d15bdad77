"""AT304 as its user meets it: the text, patience with what is ending, and a program that is left as it was."""

from __future__ import annotations

import subprocess
import sys
import threading
from asyncio import base_subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from shared_testing.detectors.detector import Scope
from shared_testing.detectors.left_behind import LeftBehind
from shared_testing.evidence.patience import Patience
from shared_testing.loop.observer import LoopObserver

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]

FLUSHER = """
import asyncio, sys, threading

class Flusher:
    def start(self):
        self.stopping = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        self.stopping.wait()

async def test_start():
    Flusher().start()

async def test_spawn():
    await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)

async def test_innocent():
    await asyncio.sleep(0)
"""

THREAD_TEXT = """\
AT304 thread 'Flusher.run' is still running
  --> test_it.py:6 in Flusher.start
   |   threading.Thread(target=self.run, daemon=True).start()
  cause: it was started, and nothing stopped it and waited for its end
  fix:   tell it to stop and join() it, or let asyncio.to_thread() run the function and await it
"""


@pytest.fixture
def detector() -> Iterator[LeftBehind]:
    detector = LeftBehind()
    detector.install(LoopObserver())
    detector.start(Scope("here"))
    yield detector
    detector.uninstall()


def told(detector: LeftBehind) -> list[str]:
    return [finding.symptom for finding in detector.finish(Scope("here"))]


@pytest.mark.parametrize("options", [[], ["-W", "error"]], ids=["plain", "W-error"])
def test_the_text_stands_alone(pytester: pytest.Pytester, options: list[str]) -> None:
    """The process is told of once: not again as a transport, nor in the innocent test."""
    pytester.makepyfile(test_it=FLUSHER)
    result = pytester.runpytest_subprocess(*OPTIONS, *options)
    result.assert_outcomes(failed=2, passed=1)
    assert THREAD_TEXT in result.stdout.str()
    assert result.stdout.str().count("is still running\n  -->") == 2
    assert "ResourceWarning" not in result.stdout.str() + result.stderr.str()


def test_uninstalled_all_is_as_before() -> None:
    """Threads, pools and processes start as Python has them."""
    owners = (threading.Thread, ThreadPoolExecutor, subprocess.Popen, base_subprocess.BaseSubprocessTransport)
    before = [dict(vars(owner)) for owner in owners]
    detector = LeftBehind()
    detector.install(LoopObserver())
    detector.start(Scope("here"))
    detector.uninstall()
    assert [dict(vars(owner)) for owner in owners] == before


def test_a_thread_that_is_ending_is_waited_for(detector: LeftBehind) -> None:
    """It was told to stop; that it has not done so yet is the machine's business."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    threading.Timer(0.05, stop.set).start()
    assert told(detector) == []
    assert not thread.is_alive()


def test_a_process_that_ended_and_was_not_waited_for(detector: LeftBehind) -> None:
    """Looking at it does not take its exit status from whoever waits."""
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    assert told(detector) == [f"child process {sys.executable.rpartition('/')[2]!r} was not waited for"]
    assert process.wait() == 3


def test_patience_ends() -> None:
    """A suite that leaves a thread in each test is not made to wait in each."""
    patience = Patience()
    waited = 0
    for _ in range(100):
        patience.renew()
        while patience.lasts():
            waited += 1
            patience._left -= 1
            patience._left_in_test -= 1
    assert waited == 6
