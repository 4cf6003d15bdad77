"""Bugs after which nothing goes on, and those of cancellation."""

from __future__ import annotations

import asyncio


async def locks_in_two_orders(*, mended: bool) -> None:
    """ABBA."""
    first, second = asyncio.Lock(), asyncio.Lock()

    async def move(one: asyncio.Lock, other: asyncio.Lock, delay: float) -> None:
        await asyncio.sleep(delay)
        async with one:
            await asyncio.sleep(0.002)
            async with other:
                await asyncio.sleep(0.001)

    await asyncio.gather(move(first, second, 0), move(*((first, second) if mended else (second, first)), 0.008))


async def lost_wake_up(*, mended: bool) -> None:
    """An event is cleared after the look and before the wait."""
    items: list[int] = []
    event = asyncio.Event()

    async def get() -> int:
        while not items:
            await asyncio.sleep(0.001)
            event.clear()
            if mended and items:
                break
            await event.wait()
        return items.pop()

    async def put() -> None:
        await asyncio.sleep(0.006)
        items.append(1)
        event.set()

    await asyncio.gather(get(), put())


async def sentinel_of_another(*, mended: bool) -> None:
    """One stop signal for two workers."""
    queue: asyncio.Queue[int | None] = asyncio.Queue()
    done: list[int] = []
    running = True

    async def work() -> None:
        nonlocal running
        while running or mended:
            item = await queue.get()
            if item is None:
                running = False
                if mended:
                    queue.put_nowait(None)
                return
            await asyncio.sleep(0.001)
            done.append(item)

    async def produce(items: range, *, last: bool) -> None:
        for item in items:
            await asyncio.sleep(0.001)
            queue.put_nowait(item)
        if last and not mended:
            await asyncio.sleep(0.003)
            queue.put_nowait(None)
            queue.put_nowait(None)

    workers = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.gather(produce(range(3), last=True), produce(range(10, 13), last=False))
    if mended:
        queue.put_nowait(None)
    await asyncio.gather(*workers)
    assert sorted(done) == [0, 1, 2, 10, 11, 12]


async def permit_not_given_back(*, mended: bool) -> None:
    """acquire() and release() with an await that may fail between them."""
    permits = asyncio.Semaphore(1)

    async def work() -> None:
        await permits.acquire()
        if mended:
            try:
                await asyncio.sleep(0.003)
            finally:
                permits.release()
        else:
            await asyncio.sleep(0.003)
            permits.release()

    async def limited() -> None:
        try:
            async with asyncio.timeout(0.008):
                await work()
        except TimeoutError:
            pass

    await limited()
    await asyncio.wait_for(work(), 60)


async def cancelled_in_the_middle(*, mended: bool) -> None:
    """Out of one list, not yet in the other. Only one of ten awaits is harmful."""
    source, target = ["job"], []

    async def move() -> None:
        for step in range(10):
            if step == 6:
                job = source.pop()
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                if mended and step == 6:
                    source.append(job)
                raise
            if step == 6:
                target.append(job)

    victim = asyncio.create_task(move(), name="victim")
    await asyncio.wait({victim})
    assert source + target == ["job"]


async def cancelled_when_woken(*, mended: bool) -> None:
    """The connection has been handed over, and its taker is cancelled before it runs."""
    pool: list[str] = []
    waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def take() -> None:
        try:
            connection = await waiter
        except asyncio.CancelledError:
            if mended and waiter.done() and not waiter.cancelled():
                pool.append(waiter.result())
            raise
        pool.append(connection)

    victim = asyncio.create_task(take(), name="victim")
    await asyncio.sleep(0.001)
    if not waiter.cancelled():
        waiter.set_result("connection")
    else:
        pool.append("connection")
    await asyncio.wait({victim})
    assert pool == ["connection"]
