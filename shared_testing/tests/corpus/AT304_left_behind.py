"""Threads, pools and child processes that nobody ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
import os
import queue
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import pytest_asyncio

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
POOLS: list[ThreadPoolExecutor] = []
_shared: ThreadPoolExecutor | None = None
stop = threading.Event()
kept: list[object] = []


@pytest.fixture(scope="module", autouse=True)
def end_of_all() -> object:
    """What is left here shall not outlive this file."""
    yield
    stop.set()
    for each in kept:
        if isinstance(each, subprocess.Popen):
            each.kill()
            each.wait()
        elif hasattr(each, "kill") and hasattr(each, "exitcode"):
            each.kill()
        elif isinstance(each, asyncio.subprocess.Process):
            subprocess.run(["kill", str(each.pid)], check=False)
        elif isinstance(each, threading.Timer):
            each.cancel()
    for pool in POOLS:
        pool.shutdown()
    if _shared is not None:
        _shared.shutdown()


class Flusher:
    def start(self) -> None:
        threading.Thread(target=self.run, daemon=True).start()  # !! AT304

    def run(self) -> None:
        stop.wait()


class Worker(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="worker")
        self.start()  # !! AT304

    def run(self) -> None:
        stop.wait()


async def test_a_thread() -> None:
    Flusher().start()
    await asyncio.sleep(0)


def test_a_thread_in_a_sync_test() -> None:
    kept.append(Worker())


async def test_a_timer() -> None:
    timer = threading.Timer(60, print)
    timer.daemon = True
    timer.start()  # !! AT304
    kept.append(timer)


async def test_a_pool() -> None:
    pool = ThreadPoolExecutor(1)  # !! AT304
    POOLS.append(pool)
    await asyncio.get_running_loop().run_in_executor(pool, sum, [1, 2])


def test_a_process() -> None:
    kept.append(subprocess.Popen(SLEEP))  # !! AT304


def test_a_process_that_is_lost() -> None:
    kept.append(subprocess.Popen(["true"]).pid)  # !! AT304


async def test_an_async_process() -> None:
    kept.append(await asyncio.create_subprocess_exec(*SLEEP))  # !! AT304


async def test_an_async_process_with_pipes() -> None:
    process = await asyncio.create_subprocess_exec(*SLEEP, stdout=subprocess.PIPE)  # !! AT304
    kept.append(process)


def test_a_child() -> None:
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()  # !! AT304
    kept.append(child)


async def test_joined_is_fine() -> None:
    thread = threading.Thread(target=sum, args=([1],))
    thread.start()
    thread.join()


async def test_told_to_stop_is_fine() -> None:
    work: queue.SimpleQueue[None] = queue.SimpleQueue()
    threading.Thread(target=work.get).start()
    work.put(None)


async def test_the_threads_of_the_loop_are_fine() -> None:
    assert await asyncio.to_thread(sum, [1, 2]) == 3
    assert await asyncio.get_running_loop().run_in_executor(None, sum, [1, 2]) == 3


async def test_a_pool_that_the_loop_owns_is_fine() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    assert await asyncio.to_thread(sum, [1, 2]) == 3


async def test_pools_that_are_shut_down_are_fine() -> None:
    with ThreadPoolExecutor() as pool:
        await asyncio.wrap_future(pool.submit(sum, [1, 2]))
    ThreadPoolExecutor()
    lost = ThreadPoolExecutor(1)
    await asyncio.wrap_future(lost.submit(sum, [1, 2]))


async def test_a_pool_that_is_kept_for_good_is_fine() -> None:
    global _shared
    _shared = ThreadPoolExecutor(1)
    await asyncio.wrap_future(_shared.submit(sum, [1, 2]))


def test_a_child_that_was_waited_for_by_its_number_is_fine() -> None:
    child = multiprocessing.get_context("fork").Process(target=int)
    child.start()
    assert os.waitpid(child.pid or 0, 0)[1] == 0
    kept.append(child)


def test_processes_that_ended_are_fine() -> None:
    subprocess.run(["true"], check=True)
    process = subprocess.Popen(SLEEP)
    process.kill()
    process.wait()
    child = multiprocessing.get_context("fork").Process(target=time.sleep)
    child.start()
    child.kill()


async def test_async_processes_that_ended_are_fine() -> None:
    process = await asyncio.create_subprocess_exec(*SLEEP, stdout=subprocess.PIPE)
    process.kill()
    await process.wait()
    killed = await asyncio.create_subprocess_exec(*SLEEP)
    killed.kill()


@pytest_asyncio.fixture
async def child() -> object:
    process = await asyncio.create_subprocess_exec(*SLEEP)
    yield process
    process.terminate()
    await process.wait()


async def test_ended_by_its_fixture_is_fine(child: asyncio.subprocess.Process) -> None:
    assert child.returncode is None


@pytest.fixture(scope="module")
def wide() -> object:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(sum, [1]).result()
        yield pool


async def test_of_a_wider_fixture_is_fine(wide: ThreadPoolExecutor) -> None:
    await asyncio.wrap_future(wide.submit(sum, [1]))
