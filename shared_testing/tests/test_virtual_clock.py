"""Virtual time: what happens, in which order, and when the clock must stand still."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from shared_testing import VirtualClockLoop

if TYPE_CHECKING:
    from shared_testing import TaskBuilders, VirtualClock


async def test_a_sleep_takes_virtual_time_only(virtual_clock: VirtualClock) -> None:
    """An hour passes on the clock, to the second."""
    await asyncio.sleep(3600)
    assert virtual_clock.now == 3600


async def test_sleepers_wake_in_the_order_of_their_moments(virtual_clock: VirtualClock) -> None:
    """Virtual time keeps the order that real time would have had, whoever started first."""
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, virtual_clock.now))

    await asyncio.gather(sleeper("slow", 0.3), sleeper("fast", 0.1), sleeper("medium", 0.2))
    assert [name for name, _ in woken] == ["fast", "medium", "slow"]
    assert [moment for _, moment in woken] == pytest.approx([0.1, 0.2, 0.3])


async def test_a_timeout_fires_at_its_moment(virtual_clock: VirtualClock, tasks: TaskBuilders) -> None:
    """What never ends is cut off after exactly its timeout."""
    never = tasks.never()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30):
            await never()
    assert virtual_clock.now == 30
    assert never.cancelled == 1


async def test_the_clock_stands_still_while_code_runs(virtual_clock: VirtualClock) -> None:
    """Turns of the loop take no virtual time: only waiting does."""
    for _ in range(100):
        await asyncio.sleep(0)
    assert virtual_clock.now == 0


async def test_a_job_in_a_thread_holds_the_clock(virtual_clock: VirtualClock) -> None:
    """Real work takes no virtual time, so no timeout fires because a thread was slow."""
    release = threading.Event()
    job = asyncio.ensure_future(asyncio.to_thread(release.wait, 10))
    alarm = asyncio.ensure_future(asyncio.sleep(0.001))
    for _ in range(3):
        await asyncio.sleep(0)
    release.set()
    assert await job is True
    assert not alarm.done()
    await alarm
    assert virtual_clock.now == pytest.approx(0.001)


def test_closing_the_loop_waits_for_its_threads_in_real_time() -> None:
    """Python gives the default executor 300 seconds to end; they do not fly by while a thread still runs."""
    release = threading.Event()

    class SlowToEnd(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            release.wait(10)
            super().shutdown(wait, cancel_futures=cancel_futures)

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        loop = runner.get_loop()
        loop.set_default_executor(SlowToEnd())
        threading.Timer(0.01, release.set).start()
        before = loop.time()
    assert loop.time() == before


async def test_data_on_its_way_holds_the_clock(virtual_clock: VirtualClock) -> None:
    """A timeout around a real exchange over loopback does not fire while the bytes travel."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server, asyncio.timeout(1):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()
    assert virtual_clock.now == 0


async def test_advance_fires_what_is_due_on_the_way(virtual_clock: VirtualClock) -> None:
    """After advance(3) the ticks of seconds 1, 2 and 3 have happened, and no other."""
    ticks: list[float] = []

    async def ticker() -> None:
        while True:
            await asyncio.sleep(1)
            ticks.append(virtual_clock.now)

    task = asyncio.ensure_future(ticker())
    await virtual_clock.advance(3)
    assert ticks == [1, 2, 3]
    task.cancel()


async def test_time_cannot_go_back(virtual_clock: VirtualClock) -> None:
    """A negative advance is a mistake in the test, and says so."""
    with pytest.raises(ValueError, match="time cannot go back"):
        await virtual_clock.advance(-1)


@pytest.mark.virtual_time
async def test_the_marker_alone_gives_virtual_time() -> None:
    """A test that needs no clock in its hands says virtual_time, and a year passes at once."""
    before = asyncio.get_running_loop().time()
    await asyncio.sleep(365 * 86400)
    assert asyncio.get_running_loop().time() - before == 365 * 86400
