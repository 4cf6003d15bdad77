"""A ``while`` that looks again and again and never gives way: whoever could change what it looks at never runs."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any


# Seconds: several of our looks (looks_often.py), and so long enough for a false proof.
LONG = 0.4


class Job:
    def __init__(self) -> None:
        self.ready = False
        self.results: list[int] = []

    async def run(self) -> None:
        self.ready = True
        self.results.append(1)

    def wait_ready(self) -> None:
        while not self.ready:  # !! AT402
            pass

    @property
    def looks_at_the_clock(self) -> bool:
        return time.monotonic() > self.end

    end = 0.0


async def nothing() -> None:
    pass


async def test_looks_at_a_task() -> None:
    task = asyncio.create_task(nothing())
    while not task.done():  # !! AT402
        pass
    await task


async def test_rests_in_between() -> None:
    task = asyncio.create_task(nothing())
    while not task.done():  # !! AT402
        time.sleep(0.01)  # !! AT201
    await task


async def test_looks_at_an_event_that_nobody_can_set() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    while True:  # !! AT402
        if event.is_set():
            break


async def test_looks_at_an_attribute() -> None:
    job = Job()
    task = asyncio.create_task(job.run())
    job.wait_ready()
    await task


async def test_looks_at_all_of_them() -> None:
    tasks = [asyncio.create_task(nothing()) for _ in range(3)]
    while not all(task.done() for task in tasks):  # !! AT402
        pass
    await asyncio.gather(*tasks)


async def test_somebody_elses_task_does_so() -> None:
    done = False

    async def watch() -> None:
        while not done:  # !! AT402
            pass

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    done = True
    await watcher


async def test_a_thread_may_end_it() -> None:
    job = Job()
    timer = threading.Timer(LONG, setattr, (job, "ready", True))
    timer.start()
    while not job.ready:
        pass
    timer.join()


async def test_it_looks_at_the_clock() -> None:
    job: Any = Job()
    job.end = time.monotonic() + LONG
    while not job.looks_at_the_clock:
        pass
