"""AT201 as its user meets it: the text, the hang that is ended, and a program that is left as it was."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.evidence.waiting_calls import WaitingCalls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared_testing.evidence.audited_calls import Wait

OPTIONS = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]

CLIENT = """
import asyncio, time

class BlockingAPIClient:
    async def fetch_user_with_processing(self, user_id):
        await asyncio.sleep(0)
        time.sleep(0.02)
        return user_id

async def test_concurrent_fetch_with_blocking():
    client = BlockingAPIClient()
    assert await asyncio.gather(*map(client.fetch_user_with_processing, range(3))) == [0, 1, 2]

async def test_innocent():
    await asyncio.sleep(0)
"""

CLIENT_TEXT = """\
AT201 time.sleep(0.02) blocks the event loop
  --> test_it.py:6 in BlockingAPIClient.fetch_user_with_processing
   |   time.sleep(0.02)
  cause: no other task, timer or connection is served until this call returns
  fix:   await asyncio.sleep(...)
"""

STUCK = """
import asyncio, threading

LOCK = threading.Lock()

async def deposit():
    with LOCK:
        await asyncio.sleep(0)

async def test_stuck():
    await asyncio.gather(deposit(), deposit())

async def test_innocent():
    await asyncio.sleep(0)
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=source)
    return pytester.runpytest_subprocess(*OPTIONS, *options, timeout=60)


def test_a_blocking_client_is_told_once(pytester: pytest.Pytester) -> None:
    """One finding per line, however often it blocked, and the async counterpart beside it."""
    result = run(pytester, CLIENT)
    result.assert_outcomes(failed=1, passed=1)
    assert str(result.stdout).count("AT201 time.sleep(0.02) blocks the event loop\n") == 1
    assert CLIENT_TEXT in str(result.stdout)


def test_a_wait_that_nothing_could_end_is_ended(pytester: pytest.Pytester) -> None:
    """The process does not hang: the lock's holder can only run on the thread that waits for it."""
    result = run(pytester, STUCK)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "AT201 waiting for a thread's lock blocks the event loop",
            "*test_it.py:6 in deposit",
            "*with LOCK:",
            "  cause: whoever should end this wait needs the loop's own thread, which waits here; the call was ended",
            "  fix:   use the asyncio class of the same name, and await it",
            "=* short test summary info =*",
        ],
        consecutive=True,
    )


def test_a_wait_for_a_thread_that_works_is_not_ended(pytester: pytest.Pytester) -> None:
    """It is a finding, and no more: what the program does is its own affair."""
    slow = """
        import threading, time
        async def test_slow():
            done = threading.Event()
            threading.Timer(1.5, done.set).start()
            assert done.wait()
        """
    result = run(pytester, slow, "--findings=warn")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["AT201 threading.Event.wait() blocks the event loop"])


def test_each_rule_can_be_switched_off_alone(pytester: pytest.Pytester) -> None:
    """Both look at the same steps; one without the other still works."""
    both = """
        import time
        async def compute():
            end = time.thread_time() + 0.4
            while time.thread_time() < end: sum(range(20_000))
            time.sleep(0.001)
        async def test_both():
            await compute()
        """
    for disabled, kept in (("AT201", "AT202"), ("AT202", "AT201")):
        result = run(pytester, both, "-o", f"findings_disable={disabled}")
        assert f"{kept} " in str(result.stdout)
        assert f"{disabled} " not in str(result.stdout)


def test_the_time_of_a_slow_system_call_can_be_set(pytester: pytest.Pytester) -> None:
    """A pipe, a slow disk: found by the time that they took."""
    slow = """
        import asyncio, os, threading
        async def read():
            reader, writer = os.pipe()
            threading.Timer(0.3, os.write, (writer, b"x")).start()
            os.read(reader, 1)
            os.close(reader), os.close(writer)
        async def test_slow():
            await read()
        """
    run(pytester, slow).assert_outcomes(failed=1)
    run(pytester, slow, "-o", "findings_block_seconds=5").assert_outcomes(passed=1)


def test_a_fork_finds_no_thread_of_ours(pytester: pytest.Pytester) -> None:
    """Python 3.12 and newer warn of a fork beside threads: that must not come from us."""
    fork = """
        import os
        def test_fork():
            if (pid := os.fork()) == 0:
                os._exit(0)
            assert os.waitpid(pid, 0) == (pid, 0)
        async def test_fork_in_a_loop():
            if (pid := os.fork()) == 0:
                os._exit(0)
            os.waitpid(pid, os.WNOHANG)
        """
    run(pytester, fork, "-W", "error").assert_outcomes(passed=2)


def test_a_busy_machine_makes_no_finding(pytester: pytest.Pytester) -> None:
    """To be kept off the processor is neither waiting nor computing."""
    quiet = """
        import asyncio, json, pytest
        async def work():
            for _ in range(30):
                json.dumps(list(range(2000)))
                await asyncio.sleep(0.001)
        @pytest.mark.parametrize("number", range(10))
        async def test_quiet(number):
            await asyncio.gather(*(work() for _ in range(10)), asyncio.to_thread(sum, range(300_000)))
        """
    burn = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(burn) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        run(pytester, quiet).assert_outcomes(passed=10)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_everything_is_put_back(pytester: pytest.Pytester) -> None:
    """A service's debug mode can be switched off."""
    pytester.makepyfile(
        early="from time import sleep",
        program="""
            import asyncio, early, gc, os, select, signal, socket, subprocess, threading, time
            from shared_testing import watch

            def state():
                places = (time.sleep, early.sleep, os.waitpid, select.select, threading.Condition.wait,
                          threading.Thread.join, subprocess.Popen.wait, asyncio.Handle._run, socket.socket.recv,
                          socket.socket.accept, signal.getsignal(signal.SIGURG))
                return [*map(id, places), list(vars(socket.socket)), list(gc.callbacks)]

            async def main():
                async with watch() as findings:
                    early.sleep(0.001)
                print(*findings, sep="\\n")

            before = state()
            asyncio.run(main())
            assert state() == before
            assert len(os.listdir("/proc/self/task")) == 1
            """,
    )
    done = pytester.runpython(pytester.path / "program.py")
    assert done.ret == 0, done.stderr.str()
    done.stdout.fnmatch_lines(["AT201 time.sleep(0.001) blocks the event loop"])


@pytest.fixture
def noted() -> Iterator[list[Wait]]:
    """The calls that wait, as they are seen with nothing else around."""
    seen: list[Wait] = []
    calls = WaitingCalls(seen.append)
    calls.install()
    yield seen
    calls.uninstall()


def test_sleep_remains_a_plain_function(noted: list[Wait]) -> None:
    """It is no method of a class that holds it, and a process pool can pickle it."""
    retry: Any = type("Retry", (), {"sleep": time.sleep})()
    retry.sleep(0)
    assert pickle.loads(pickle.dumps(time.sleep)) is time.sleep
    assert time.sleep.__name__ == "sleep"
    assert noted == []


def test_a_failing_call_fails_as_it_would(noted: list[Wait]) -> None:
    """Errors pass through, without our frames in what pytest shows."""
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)
    with socket.socket() as closed:
        closed.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            closed.recv(1)
    assert threading.Event().wait(0) is False


@pytest.mark.allow_finding("AT201", reason="the call is what is tested")
async def test_calls_in_a_loop_are_noted_with_their_time(noted: list[Wait]) -> None:
    """A wait that timed out is told from one that was short."""
    assert threading.Event().wait(0.01) is False
    wait = noted[-1]
    assert wait.raw == "threading.Condition.wait"
    assert wait.timed_out
    assert wait.seconds is not None
    assert wait.seconds >= 0.005


def test_nothing_is_noted_without_a_loop(noted: list[Wait]) -> None:
    """Sync code may wait as it likes."""
    time.sleep(0.001)
    threading.Event().wait(0.001)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    assert asyncio.Handle._run.__code__.co_name == "_run"
    assert noted == []


def test_the_signal_is_ignored_as_before(pytester: pytest.Pytester) -> None:
    """We wake a stuck call by a signal that does nothing unless we have condemned that call."""
    urged = """
        import os, signal
        async def test_urged():
            os.kill(os.getpid(), signal.SIGURG)
        """
    run(pytester, urged).assert_outcomes(passed=1)
    assert signal.getsignal(signal.SIGURG) is not None
    assert gc.isenabled()
