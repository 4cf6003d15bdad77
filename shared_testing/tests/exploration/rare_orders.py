"""Bugs that need several things to happen in one order, or in one instant."""

from __future__ import annotations

import asyncio


async def one_of_24_orders(*, mended: bool) -> None:
    """Four answers, and only their exact reverse is wrong."""
    order: list[int] = []

    async def answer(number: int) -> None:
        await asyncio.sleep(0.001 * (number + 1))
        order.append(number)

    await asyncio.gather(*map(answer, range(4)))
    assert mended or order != [3, 2, 1, 0]


async def one_of_120_orders(*, mended: bool) -> None:
    """The same with five."""
    order: list[int] = []

    async def answer(number: int) -> None:
        await asyncio.sleep(0.002)
        order.append(number)

    await asyncio.gather(*map(answer, range(5)))
    assert mended or order != [2, 4, 1, 3, 0]


async def two_windows(*, mended: bool) -> None:
    """A reader meets the writer inside both of its updates."""
    version, checksum = 0, 0
    torn = 0

    async def write() -> None:
        nonlocal version, checksum
        for number in (1, 2):
            await asyncio.sleep(0.002)
            version = number
            if not mended:
                await asyncio.sleep(0.001)
            checksum = number

    async def read() -> None:
        nonlocal torn
        for _ in range(2):
            await asyncio.sleep(0.006)
            torn += version != checksum

    await asyncio.gather(write(), read())
    assert torn < 2


async def overtaken_for_long(*, mended: bool) -> None:
    """One task sleeps through a whole lease of another one."""
    owner, writes = "", []

    async def hold(name: str, delay: float, work: int) -> None:
        nonlocal owner
        await asyncio.sleep(delay)
        owner = name
        for _ in range(work):
            await asyncio.sleep(0.001)
        if not mended or owner == name:
            writes.append((name, owner))

    await asyncio.gather(hold("a", 0, 2), hold("b", 0.009, 3))
    assert all(writer == owner for writer, owner in writes)


async def given_in_the_instant_of_a_timeout(*, mended: bool) -> None:
    """A hand-over by ``set_result()`` meets the cancellation of the one who waits."""
    free: list[str] = []
    waiters: list[asyncio.Future[str]] = []

    def release(connection: str) -> None:
        while waiters:
            waiter = waiters.pop(0)
            if not waiter.done():
                waiter.set_result(connection)
                return
        free.append(connection)

    async def acquire() -> str:
        waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if mended and waiter.done() and not waiter.cancelled():
                release(waiter.result())
            raise

    async def use() -> None:
        try:
            async with asyncio.timeout(0.008):
                connection = await acquire()
        except TimeoutError:
            return
        release(connection)

    async def give() -> None:
        await asyncio.sleep(0.004)
        release("connection")

    await asyncio.gather(use(), give())
    assert free == ["connection"]


async def taken_and_cancelled(*, mended: bool) -> None:
    """An item comes out of a queue in the instant in which its reader is stopped."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    done: list[int] = []
    left: list[int] = []

    async def read() -> None:
        while True:
            item = await queue.get()
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                if mended:
                    left.append(item)
                raise
            done.append(item)

    async def write() -> None:
        await asyncio.sleep(0.003)
        queue.put_nowait(1)

    reader = asyncio.create_task(read())
    writer = asyncio.create_task(write())
    await asyncio.sleep(0.012)
    reader.cancel()
    await asyncio.gather(reader, writer, return_exceptions=True)
    assert len(done) + len(left) + queue.qsize() == 1


async def finished_by_two(*, mended: bool) -> None:
    """An answer and a timeout both complete the same future."""
    answer = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    problems: list[BaseException] = []

    def complete(value: str) -> None:
        if mended and answer.done():
            return
        try:
            answer.set_result(value)
        except asyncio.InvalidStateError as error:
            problems.append(error)

    timer = loop.call_later(0.009, complete, "timeout")

    async def reply() -> None:
        await asyncio.sleep(0.003)
        complete("reply")

    task = asyncio.create_task(reply())
    await answer
    timer.cancel()
    await task
    assert not problems
