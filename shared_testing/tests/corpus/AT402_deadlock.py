"""Tests in which nobody can go on, and tests that only look so."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds: many of our looks (looks_often.py), and so long enough for a false proof.
LONG = 0.3


class Bank:
    def __init__(self) -> None:
        self.a, self.b = asyncio.Lock(), asyncio.Lock()

    async def move(self, first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(0.001)
            async with second:  # !! AT402
                await asyncio.sleep(0)


async def test_two_locks_in_opposite_order() -> None:
    bank = Bank()
    await asyncio.gather(bank.move(bank.a, bank.b), bank.move(bank.b, bank.a))


async def test_two_locks_in_one_order_is_fine() -> None:
    bank = Bank()
    await asyncio.gather(bank.move(bank.a, bank.b), bank.move(bank.a, bank.b))


class Account:
    def __init__(self) -> None:
        self.lock, self.balance = asyncio.Lock(), 0

    async def add(self, amount: int) -> None:
        async with self.lock:
            await self.log(amount)

    async def log(self, amount: int) -> None:
        async with self.lock:  # !! AT402
            self.balance += amount


async def test_a_lock_that_its_holder_wants_again() -> None:
    await Account().add(1)


async def test_a_queue_without_producer() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    await queue.get()  # !! AT402


class Pipeline:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[int | None] = asyncio.Queue()

    async def produce(self) -> None:
        for number in range(3):
            await self.queue.put(number)
            await asyncio.sleep(0.001)
        await asyncio.sleep(1)
        await self.queue.put(None)  # !! AT402

    async def consume(self) -> list[int]:
        seen = []
        while (item := await self.queue.get()) is not None:
            seen.append(item)
        return seen


async def test_a_sentinel_that_a_cancellation_kept_from_being_put() -> None:
    pipeline = Pipeline()
    producer = asyncio.create_task(pipeline.produce())
    consumer = asyncio.create_task(pipeline.consume())
    await asyncio.sleep(0.01)
    producer.cancel()
    await consumer


async def test_one_sentinel_for_two_consumers() -> None:
    queue: asyncio.Queue[int | None] = asyncio.Queue()

    async def consume() -> None:
        while await queue.get() is not None:  # !! AT402
            pass

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(consume())
        await queue.put(1)
        await queue.put(None)


async def test_join_without_task_done() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        while True:
            await queue.get()  # !! AT402

    worker = asyncio.create_task(work())
    try:
        queue.put_nowait(1)
        await queue.join()
    finally:
        worker.cancel()


async def test_join_after_the_consumer_died() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def work() -> None:
        while True:
            int(await queue.get())
            queue.task_done()

    worker = asyncio.create_task(work())
    for item in ("1", "two", "3"):
        queue.put_nowait(item)
    try:
        await queue.join()  # !! AT402
    finally:
        await asyncio.gather(worker, return_exceptions=True)


async def test_room_in_a_queue_that_nobody_empties() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    for number in range(2):
        await queue.put(number)  # !! AT402


async def test_a_lock_that_a_cancelled_task_kept() -> None:
    lock = asyncio.Lock()

    async def hold() -> None:
        await lock.acquire()  # !! AT402
        await asyncio.sleep(3600)
        lock.release()

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0)
    holder.cancel()
    async with lock:
        pass


async def test_a_semaphore_that_failures_use_up() -> None:
    limit = asyncio.Semaphore(2)

    async def call() -> None:
        await limit.acquire()  # !! AT402
        raise OSError

    for _ in range(3):
        with contextlib.suppress(OSError):
            await asyncio.create_task(call())


async def test_an_event_that_nobody_sets() -> None:
    ready = asyncio.Event()
    await asyncio.gather(asyncio.sleep(0.001), ready.wait())  # !! AT402
    # The wait is a coroutine of asyncio's own: the line of the user's is the one that awaits them all.


async def test_a_future_that_nobody_completes() -> None:
    answer = asyncio.get_running_loop().create_future()
    await answer  # !! AT402


async def test_a_condition_that_nobody_notifies() -> None:
    condition = asyncio.Condition()
    async with condition:
        await condition.wait()  # !! AT402


async def test_tasks_that_wait_for_each_other() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def wait_for(other: int) -> None:
        await asyncio.sleep(0)
        await tasks[other]  # !! AT402

    tasks += [asyncio.create_task(wait_for(1)), asyncio.create_task(wait_for(0))]
    await asyncio.wait(tasks)


async def test_a_barrier_for_one_too_many() -> None:
    barrier = asyncio.Barrier(3)

    async def arrive() -> None:
        async with barrier:  # !! AT402
            pass

    async with asyncio.TaskGroup() as group:
        group.create_task(arrive())
        group.create_task(arrive())


async def numbers(queue: asyncio.Queue[int]) -> object:
    while True:
        yield await queue.get()  # !! AT402


async def test_inside_an_asynchronous_generator() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    queue.put_nowait(1)
    async for _ in numbers(queue):
        pass


async def test_one_who_takes_cancellation_for_an_answer() -> None:
    """The cleanup waits again, and so does the next: it ends all the same."""
    ready = asyncio.Event()
    while not ready.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await ready.wait()  # !! AT402


@pytest_asyncio.fixture
async def stuck_on_close() -> object:
    stopped = asyncio.Event()
    yield "server"
    await stopped.wait()  # !! AT402


async def test_a_fixture_whose_teardown_waits_for_ever(stuck_on_close: object) -> None:
    await asyncio.sleep(0)


@pytest.mark.virtual_time
async def test_under_virtual_time() -> None:
    await asyncio.sleep(60)
    await asyncio.Event().wait()  # !! AT402


class Gate:
    def __init__(self) -> None:
        self.is_open = False
        self.looks = 0

    async def wait(self) -> None:
        while not self.is_open:
            self.looks += 1
            await asyncio.sleep(0)  # !! AT402


async def test_a_gate_that_nobody_opens() -> None:
    await Gate().wait()


class Walker:
    def __init__(self) -> None:
        self.in_the_way = True

    async def pass_by(self, other: Walker) -> None:
        while True:
            self.in_the_way = not other.in_the_way
            if not (self.in_the_way or other.in_the_way):
                return
            await asyncio.sleep(0)  # !! AT402


async def test_two_who_give_way_to_each_other() -> None:
    left, right = Walker(), Walker()
    await asyncio.gather(left.pass_by(right), right.pass_by(left))


async def test_a_poller_that_sleeps() -> None:
    results: list[int] = []
    while len(results) < 1:
        await asyncio.sleep(0.01)  # !! AT402


async def test_a_poller_that_catches_what_it_finds() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    while True:
        try:
            queue.get_nowait()
            break
        except asyncio.QueueEmpty:
            await asyncio.sleep(0)  # !! AT402


async def test_a_wait_beside_a_poller() -> None:
    gate = Gate()
    poller = asyncio.create_task(gate.wait())
    try:
        await asyncio.Event().wait()
    finally:
        poller.cancel()


async def beat() -> None:
    while True:
        await asyncio.sleep(0.01)


async def test_a_wait_beside_a_heartbeat() -> None:
    """The heartbeat keeps the loop awake, and is not to blame."""
    heart = asyncio.create_task(beat())
    try:
        await asyncio.Event().wait()  # !! AT402
    finally:
        heart.cancel()


async def look_until(is_there: Callable[[], bool]) -> None:
    while not is_there():
        await asyncio.sleep(0.01)  # !! AT402


async def test_a_poller_that_calls_in_a_test_that_asserts() -> None:
    results: list[int] = []
    await look_until(lambda: bool(results))
    assert results == [1]


async def test_a_poller_with_a_deadline_is_fine() -> None:
    loop = asyncio.get_running_loop()
    deadline, gate = loop.time() + LONG, Gate()
    while not gate.is_open and loop.time() < deadline:
        await asyncio.sleep(0)


async def test_a_poller_that_waits_for_a_thread_is_fine() -> None:
    gate = Gate()
    thread = threading.Timer(LONG, setattr, (gate, "is_open", True))
    thread.start()
    while not gate.is_open:
        await asyncio.sleep(0)
    thread.join()


async def test_a_poller_that_waits_for_a_timer_is_fine() -> None:
    gate = Gate()
    asyncio.get_running_loop().call_later(LONG, setattr, gate, "is_open", True)
    while not gate.is_open:
        await asyncio.sleep(0)


async def test_a_poller_that_waits_for_a_task_is_fine() -> None:
    gate = Gate()

    async def work() -> None:
        await asyncio.sleep(LONG)
        gate.is_open = True

    task = asyncio.create_task(work())
    while not gate.is_open:
        await asyncio.sleep(0.01)
    await task


async def test_a_long_count_is_fine() -> None:
    count = 0
    while count < 150_000:
        count += 1
        await asyncio.sleep(0)


async def test_a_long_step_by_step_is_fine() -> None:
    class Job:
        done, left = False, 150_000

        def step(self) -> None:
            self.left -= 1
            self.done = not self.left

    job = Job()
    while not job.done:
        job.step()
        await asyncio.sleep(0)


async def test_a_poller_that_looks_at_the_disk_is_fine(tmp_path: Path) -> None:
    mark = tmp_path / "ready"
    child = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep({LONG}); open({str(mark)!r}, 'w').close()"]
    )
    while not mark.exists():
        await asyncio.sleep(0.01)
    await asyncio.to_thread(child.wait)


async def test_a_thread_that_will_set_it_is_fine() -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        time.sleep(0.2)
        loop.call_soon_threadsafe(ready.set)

    thread = threading.Thread(target=work)
    thread.start()
    await ready.wait()
    thread.join()


async def test_a_job_in_a_thread_is_fine() -> None:
    await asyncio.to_thread(time.sleep, 0.2)


async def test_a_job_in_a_pool_of_ones_own_is_fine() -> None:
    with ThreadPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 0.2)


async def test_a_timeout_that_ends_it_is_fine() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.2)


async def test_a_timer_that_ends_it_is_fine() -> None:
    ready = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, ready.set)
    await ready.wait()


async def test_a_deadlock_with_a_deadline_is_fine() -> None:
    bank = Bank()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.gather(bank.move(bank.a, bank.b), bank.move(bank.b, bank.a))


async def test_a_child_process_is_fine() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(0.2)")
    assert await child.wait() == 0


async def test_a_thread_that_waits_for_a_process_is_fine() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(0.2)"]
    assert (await asyncio.to_thread(subprocess.run, command, check=True)).returncode == 0


async def test_a_connection_that_answers_late_is_fine() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(b"late\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.readline() == b"late\n"
        writer.close()
        await writer.wait_closed()


async def test_a_lock_that_is_handed_on_is_fine() -> None:
    lock = asyncio.Lock()

    async def hold() -> None:
        async with lock:
            await asyncio.sleep(0.001)

    await asyncio.gather(*(hold() for _ in range(5)))


async def test_an_idle_worker_that_the_test_cancels_is_fine() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    worker.cancel()
    await asyncio.wait([worker])
