"""Bugs of what coordinates tasks: leases, pools, limits, pulses, shutdown. ``mended=True`` is the repaired twin."""

from __future__ import annotations

import asyncio
import contextlib


async def lease_without_fence(*, mended: bool) -> None:
    """A holder that was slow writes after its lease was given to another one."""
    generation = 0
    written: list[int] = []

    async def hold(delay: float, work: float) -> None:
        nonlocal generation
        await asyncio.sleep(delay)
        generation += 1
        mine = generation
        await asyncio.sleep(work)
        if not mended or mine == generation:
            written.append(mine)

    await asyncio.gather(hold(0, 0.004), hold(0.010, 0.004))
    assert written == sorted(written)
    assert not written or written[-1] == generation


async def pool_over_its_limit(*, mended: bool) -> None:
    """The size is looked at before a connection is made, and counted after."""
    size, most = 0, 0
    idle: list[object] = []
    lock = asyncio.Lock()

    async def acquire() -> object:
        nonlocal size, most
        if idle:
            return idle.pop()
        async with lock if mended else contextlib.nullcontext():
            if size < 2:
                await asyncio.sleep(0.002)
                size += 1
                most = max(most, size)
                return object()
        return None

    async def use(delay: float) -> None:
        await asyncio.sleep(delay)
        connection = await acquire()
        await asyncio.sleep(0.001)
        if connection is not None:
            idle.append(connection)

    await asyncio.gather(use(0), use(0.005), use(0.010), use(0.015))
    assert most <= 2


async def pulse_missed(*, mended: bool) -> None:
    """An event that is set and cleared at once wakes only those who wait already."""
    pulse = asyncio.Event()
    opened = False

    async def wait() -> None:
        await asyncio.sleep(0.003)
        if not (mended and opened):
            await pulse.wait()

    async def fire() -> None:
        nonlocal opened
        await asyncio.sleep(0.007)
        opened = True
        pulse.set()
        pulse.clear()

    await asyncio.gather(wait(), fire())


async def second_result_dropped(*, mended: bool) -> None:
    """``asyncio.wait(FIRST_COMPLETED)`` may return two: only one is taken."""
    tasks = {asyncio.create_task(asyncio.sleep(delay, name)) for delay, name in ((0.002, "a"), (0.006, "b"))}
    got: list[str] = []
    while tasks:
        done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        got += [each.result() for each in done] if mended else [done.pop().result()]
    assert sorted(got) == ["a", "b"]


async def put_after_close(*, mended: bool) -> None:
    """A producer looks whether the queue is open, waits, and puts into a closed one."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    done: list[str] = []
    is_open = True
    accepted = 0

    async def produce(delay: float) -> None:
        nonlocal accepted
        await asyncio.sleep(delay)
        if is_open:
            if not mended:
                await asyncio.sleep(0.001)
            queue.put_nowait("item")
            accepted += 1

    async def consume() -> None:
        while (item := await queue.get()) is not None:
            done.append(item)

    async def close() -> None:
        nonlocal is_open
        await asyncio.sleep(0.011)
        is_open = False
        queue.put_nowait(None)

    await asyncio.gather(produce(0.001), produce(0.004), consume(), close())
    assert len(done) == accepted


async def idle_stop_meets_work(*, mended: bool) -> None:
    """A worker gives up in the instant in which it is given something."""
    inbox: list[int] = []
    wake = asyncio.Event()
    working = True

    async def work() -> None:
        nonlocal working
        while True:
            try:
                async with asyncio.timeout(0.010):
                    await wake.wait()
            except TimeoutError:
                if mended and inbox:
                    continue
                await asyncio.sleep(0.001)
                if not (mended and inbox):
                    working = False
                    return
            wake.clear()
            inbox.clear()

    async def submit() -> None:
        nonlocal working
        await asyncio.sleep(0.005)
        inbox.append(1)
        wake.set()
        if not working:
            working = True
            await work()

    worker = asyncio.create_task(work())
    await submit()
    await worker
    assert not inbox


async def retried_though_it_arrived(*, mended: bool) -> None:
    """A request that answers late is sent again, and carried out twice."""
    charged: list[str] = []

    async def charge(key: str) -> None:
        await asyncio.sleep(0.003)
        if not (mended and key in charged):
            charged.append(key)
        await asyncio.sleep(0.002)

    async def pay() -> None:
        for _ in range(4):
            try:
                async with asyncio.timeout(0.015):
                    return await charge("order 1")
            except TimeoutError:
                pass
        return None

    await pay()
    assert charged in ([], ["order 1"])


async def version_read_twice(*, mended: bool) -> None:
    """ABA: the value is the same again, what lies between was lost."""
    value, version = "a", 0

    async def swap() -> None:
        nonlocal value, version
        seen, at = value, version
        await asyncio.sleep(0.006)
        if value == seen and (not mended or version == at):
            value, version = "c", version + 1

    async def there_and_back() -> None:
        nonlocal value, version
        await asyncio.sleep(0.008)
        value, version = "b", version + 1
        await asyncio.sleep(0.001)
        value, version = "a", version + 1

    await asyncio.gather(swap(), there_and_back())
    assert (value, version) != ("c", 3)


async def three_in_a_ring(*, mended: bool) -> None:
    """Three forks, three philosophers."""
    forks = [asyncio.Lock() for _ in range(3)]

    async def dine(seat: int) -> None:
        await asyncio.sleep(0.004 * seat)
        one, other = seat, (seat + 1) % 3
        if mended and other < one:
            one, other = other, one
        async with forks[one]:
            await asyncio.sleep(0.001)
            async with forks[other]:
                await asyncio.sleep(0.001)

    await asyncio.gather(*map(dine, range(3)))


async def reversed_in_a_batch(*, mended: bool) -> None:
    """Acknowledged up to the last one that came, though an earlier one is still under way."""
    acknowledged = -1
    done: set[int] = set()

    async def handle(number: int) -> None:
        nonlocal acknowledged
        await asyncio.sleep(0.002 * (number + 1))
        done.add(number)
        if mended:
            while acknowledged + 1 in done:
                acknowledged += 1
        else:
            acknowledged = max(acknowledged, number)
        assert all(each in done for each in range(acknowledged + 1))

    await asyncio.gather(*map(handle, range(3)))
