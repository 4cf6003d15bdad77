"""Correct programs, which rely on what asyncio documents: an exploration that reports one of them cries wolf."""

from __future__ import annotations

import asyncio
import threading


async def call_soon_is_fifo() -> None:
    """'Callbacks are called in the order in which they are registered.'"""
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    done = loop.create_future()
    for number in range(5):
        loop.call_soon(seen.append, number)
    loop.call_soon(done.set_result, None)
    await done
    assert seen == [0, 1, 2, 3, 4]


async def tasks_start_in_order() -> None:
    """create_task() schedules by call_soon()."""
    seen: list[int] = []

    async def note(number: int) -> None:
        seen.append(number)

    await asyncio.gather(*map(note, range(4)))
    assert seen == [0, 1, 2, 3]


async def a_lock_is_fair() -> None:
    """'The first task to wait is the first to proceed.'"""
    lock = asyncio.Lock()
    seen: list[int] = []

    async def hold(number: int) -> None:
        async with lock:
            seen.append(number)
            await asyncio.sleep(0.001)

    await asyncio.gather(*map(hold, range(4)))
    assert seen == [0, 1, 2, 3]


async def a_queue_is_fifo() -> None:
    """Its getters too."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0.001)
    for number in range(3):
        queue.put_nowait(number)
    assert await asyncio.gather(*getters) == [0, 1, 2]


async def turns_alternate() -> None:
    """``sleep(0)`` is one turn of the loop."""
    seen: list[str] = []

    async def play(name: str) -> None:
        for _ in range(3):
            seen.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(play("a"), play("b"))
    assert "".join(seen) == "ababab"


async def a_cancellation_takes_one_turn() -> None:
    """Of a task that waits for a future."""
    task = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert task.cancelled()


async def a_generous_timeout_does_not_fire() -> None:
    """Five seconds are not 50 milliseconds late."""
    async with asyncio.timeout(5):
        for _ in range(20):
            await asyncio.sleep(0.01)


async def nested_timeouts_keep_their_order() -> None:
    """Those that are farther apart than the world is late."""
    with_inner = False
    try:
        async with asyncio.timeout(0.2):
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(1)
            except TimeoutError:
                with_inner = True
                raise
    except TimeoutError:
        pass
    assert with_inner


async def a_debounce_waits_for_the_last() -> None:
    """A timer of a second is not overtaken by key strokes."""
    loop = asyncio.get_running_loop()
    fired: list[int] = []
    timer = None
    for key in range(5):
        if timer is not None:
            timer.cancel()
        timer = loop.call_later(1, fired.append, key)
        await asyncio.sleep(0.01)
    await asyncio.sleep(2)
    assert fired == [4]


async def one_thread_posts_in_order() -> None:
    """call_soon_threadsafe() of one thread."""
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    done = loop.create_future()

    def work() -> None:
        for number in range(4):
            loop.call_soon_threadsafe(seen.append, number)
        loop.call_soon_threadsafe(done.set_result, None)

    await asyncio.to_thread(work)
    await done
    assert seen == [0, 1, 2, 3]


async def a_thread_that_was_joined_has_posted() -> None:
    """What it gave to call_soon_threadsafe() is next, in its order."""
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def work() -> None:
        for number in range(3):
            loop.call_soon_threadsafe(seen.append, number)

    thread = threading.Thread(target=work)
    thread.start()
    # Some of it may have been taken for an arrival already.
    await asyncio.sleep(0)
    thread.join()
    loop.call_soon(seen.append, 3)
    await asyncio.sleep(0)
    assert seen == [0, 1, 2, 3]


async def a_poller_gets_its_turn() -> None:
    """Nobody is starved for ever, so spinning ends."""
    ready = False

    async def prepare() -> None:
        nonlocal ready
        await asyncio.sleep(0.005)
        ready = True

    task = asyncio.create_task(prepare())
    while not ready:  # noqa: ASYNC110 - a poller is what it is about
        await asyncio.sleep(0)
    await task


async def a_poller_meets_who_was_overtaken() -> None:
    """Nobody is later than the world is late, however busy the loop."""
    ready = False

    async def prepare() -> None:
        nonlocal ready
        await asyncio.sleep(0.001)
        ready = True

    task = asyncio.create_task(prepare())
    await asyncio.sleep(0.002)
    while not ready:  # noqa: ASYNC110 - a poller is what it is about
        await asyncio.sleep(0)
    await task


async def many_turns_are_no_long_time() -> None:
    """Two thousand of them end before a timeout of five seconds."""
    async with asyncio.timeout(5):
        for _ in range(2_000):
            await asyncio.sleep(0)


async def one_stream_keeps_its_order() -> None:
    """Bytes come as they were sent."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            got.append(line)
        writer.close()
        await writer.wait_closed()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for number in range(3):
            writer.write(b"%d\n" % number)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        await done.wait()
    assert got == [b"0\n", b"1\n", b"2\n"]
