"""Cancelled, timed out, raced and streamed: who writes when, and what stands in the file afterwards."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from file_handler import AsyncFileHandler, LineError, WriteInsideWrite, side_car, writing
from file_handler.errors import Busy
from file_handler.path_locks import PATH_LOCKS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from conftest import Child, Gate

    from shared_testing import VirtualClock


@pytest.fixture(autouse=True)
def no_lock_is_left() -> Iterator[None]:
    yield
    assert len(PATH_LOCKS) == 0


@pytest.mark.parametrize(
    ("call", "content"), [("write", "old\n"), ("fsync", "old\n"), ("replace", "new\n"), ("fchmod", "old\n")]
)
async def test_a_cancelled_write_leaves_the_old_or_the_new(
    names: Callable[[Path], list[str]],
    handler: AsyncFileHandler,
    target: Path,
    gate_at: Callable[..., Gate],
    call: str,
    content: str,
) -> None:
    """Wherever it is caught: when the caller goes on, it is decided, and no side-car is left. (F13c)"""
    gate = gate_at(call)
    task = asyncio.create_task(handler.write_lines(target, ["new"]))
    await gate.reached()
    task.cancel()
    await asyncio.sleep(0)
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert target.read_text() == content
    assert names(target.parent) == ["lines.txt"]


async def test_a_cancelled_append_leaves_all_or_nothing(
    names: Callable[[Path], list[str]], handler: AsyncFileHandler, target: Path, gate_at: Callable[..., Gate]
) -> None:
    """Before the file is touched it is called off; after that it is finished. (F13c)"""
    for wanted, content in ((lambda fd, _: fd, "old\n"), (lambda fd, _: os.fstat(fd).st_size == 4, "old\nnew\n")):
        gate = gate_at("write", wanted)
        task = asyncio.create_task(handler.append_lines(target, ["new"]))
        await gate.reached()
        task.cancel()
        await asyncio.sleep(0)
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert target.read_text() == content
        assert names(target.parent) == ["lines.txt"]


async def test_a_disk_that_hangs_does_not_hold_the_cancelled_caller(
    names: Callable[[Path], list[str]],
    handler: AsyncFileHandler,
    target: Path,
    gate_at: Callable[..., Gate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a grace it goes on; the next write waits until the thread has let go. (F13c)"""
    monkeypatch.setattr(writing, "GRACE_SECONDS", 0)
    gate = gate_at("fsync")
    task = asyncio.create_task(handler.write_lines(target, ["given up"]))
    await gate.reached()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    following = asyncio.create_task(handler.write_lines(target, ["next"], durable=False))
    await asyncio.sleep(0)
    assert target.read_text() == "old\n"
    gate.open()
    await following
    assert target.read_text() == "next\n"
    assert names(target.parent) == ["lines.txt"]


async def test_a_second_cancellation_does_not_stop_the_clean_up(
    names: Callable[[Path], list[str]], handler: AsyncFileHandler, target: Path, gate_at: Callable[..., Gate]
) -> None:
    """The caller leaves earlier, the draft is removed all the same."""
    gate = gate_at("fsync")
    task = asyncio.create_task(handler.write_lines(target, ["given up"]))
    await gate.reached()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open()
    await handler.write_lines(target, ["next"], durable=False)
    assert target.read_text() == "next\n"
    assert names(target.parent) == ["lines.txt"]


def test_a_thread_that_outlives_its_loop_cleans_up_quietly(
    names: Callable[[Path], list[str]],
    target: Path,
    gate_at: Callable[..., Gate],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is logged about the closed loop, and the path is free for the next one. (F13c)"""
    monkeypatch.setattr(writing, "GRACE_SECONDS", 0)
    gate = gate_at("fsync")
    handler = AsyncFileHandler()

    async def leave_it_stuck() -> None:
        task = asyncio.create_task(handler.write_lines(target, ["given up"]))
        await gate.reached()
        task.cancel()

    asyncio.run(leave_it_stuck())
    gate.open()
    asyncio.run(handler.write_lines(target, ["next"], durable=False))
    assert target.read_text() == "next\n"
    assert names(target.parent) == ["lines.txt"]
    assert caplog.messages == []


async def test_the_same_task_may_write_again_after_its_timeout(
    handler: AsyncFileHandler, target: Path, gate_at: Callable[..., Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write that timed out is not taken for one that encloses the new one."""
    monkeypatch.setattr(writing, "GRACE_SECONDS", 0)
    gate = gate_at("fsync")

    async def time_out_in_the_middle() -> None:
        async with asyncio.timeout(None) as deadline:
            reached = asyncio.create_task(gate.reached())
            reached.add_done_callback(lambda _: deadline.reschedule(0))
            await handler.write_lines(target, ["given up"])

    with pytest.raises(TimeoutError):
        await time_out_in_the_middle()
    asyncio.get_running_loop().call_soon(gate.open)
    await handler.write_lines(target, ["again"], durable=False)
    assert target.read_text() == "again\n"


async def test_a_write_cancelled_in_the_queue_never_starts(
    handler: AsyncFileHandler, target: Path, gate_at: Callable[..., Gate], settle: Callable[[], Awaitable[None]]
) -> None:
    """And those behind it come."""
    gate = gate_at("fsync")
    first = asyncio.create_task(handler.write_lines(target, ["first"]))
    await gate.reached()
    second = asyncio.create_task(handler.write_lines(target, ["second"]))
    third = asyncio.create_task(handler.append_lines(target, ["third"]))
    await asyncio.sleep(0)
    second.cancel()
    gate.open()
    await asyncio.gather(first, third)
    assert second.cancelled()
    assert target.read_text() == "first\nthird\n"


async def test_concurrent_writers_never_mix(handler: AsyncFileHandler, target: Path) -> None:
    """The file is one of the two, each time. (F14)"""
    long, short = ["A" * 50_000] * 3, ["B" * 10]
    for _ in range(20):
        await asyncio.gather(
            handler.write_lines(target, long, durable=False), handler.write_lines(target, short, durable=False)
        )
        assert await handler.read_lines(target) == short  # the one that asked last


async def test_readers_see_whole_files_only(handler: AsyncFileHandler, target: Path) -> None:
    """While it is rewritten twenty times. (F6)"""
    await handler.write_lines(target, ["x"] * 5_000, durable=False)
    seen = set[int]()

    async def rewrite() -> None:
        for _ in range(20):
            await handler.write_lines(target, ["x"] * 5_000, durable=False)

    rewriting = asyncio.create_task(rewrite())
    while not rewriting.done():
        seen.add(len(await handler.read_lines(target)))
    assert seen == {5_000}


async def test_appends_come_in_the_order_of_asking(handler: AsyncFileHandler, target: Path) -> None:
    """Fifty at once, none lost, none mixed, all in turn."""
    await asyncio.gather(*(handler.append_lines(target, [f"{n}", f"{n}"], durable=False) for n in range(50)))
    assert await handler.read_lines(target) == ["old", *(f"{n}" for n in range(50) for _ in range(2))]


async def test_other_spellings_are_the_same_path(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative, through a link, with dots, from two handlers: one writer at a time."""
    target.with_name("link").symlink_to("lines.txt")
    monkeypatch.chdir(target.parent)
    spellings = ["lines.txt", "./lines.txt", "link", str(target), f"../{target.parent.name}/lines.txt"]
    writing_now, most = 0, 0
    real_replace = os.replace

    def replace(*args: str, **kwargs: int) -> None:
        nonlocal writing_now, most
        writing_now += 1
        most = max(most, writing_now)
        real_replace(*args, **kwargs)  # type: ignore[arg-type]
        writing_now -= 1

    def claim(*args: Any) -> int:
        try:
            return real_claim(*args)
        except Busy:
            collisions.append(args)
            raise

    collisions, real_claim = list[object](), side_car.claim
    monkeypatch.setattr(side_car, "claim", claim)
    monkeypatch.setattr(os, "replace", replace)
    async with AsyncFileHandler() as one, AsyncFileHandler() as other:
        await asyncio.gather(
            *(handler.append_lines(path, ["x"], durable=False) for path in spellings * 4 for handler in (one, other)),
            *(handler.write_lines(path, ["y"], durable=False) for path in spellings for handler in (one, other)),
        )
    assert most == 1
    assert collisions == []  # they waited in the process, none had to look again
    assert set(target.read_text().split()) <= {"old", "x", "y"}


def test_two_loops_in_two_threads_take_turns(target: Path) -> None:
    """With one handler between them."""
    handler = AsyncFileHandler()

    async def append(name: str) -> None:
        for number in range(25):
            await handler.append_lines(target, [f"{name}{number}"] * 2, durable=False)

    threads = [threading.Thread(target=lambda name=name: asyncio.run(append(name))) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = asyncio.run(handler.read_lines(target))[1:]
    assert len(lines) == 100
    assert lines[::2] == lines[1::2]


APPEND_MANY = """
async def main():
    handler = AsyncFileHandler()
    for number in range(30):
        await handler.append_lines(path, [f"{os.getpid()} {number}"] * 2, durable=False)

print("ready", flush=True)
asyncio.run(main())
"""


def test_two_processes_take_turns(child: Callable[..., Child], target: Path) -> None:
    """No append of either is lost or torn."""
    children = [child(APPEND_MANY, target) for _ in range(2)]
    for one in children:
        one.finish()
    lines = target.read_text().split("\n")[1:-1]
    assert len(lines) == 120
    assert lines[::2] == lines[1::2]


async def test_a_writer_waits_for_another_process(
    child: Callable[..., Child], handler: AsyncFileHandler, target: Path, virtual_clock: VirtualClock
) -> None:
    """While that holds the side-car; when it is gone, even killed, the write goes on."""
    other = child('stop_at("replace")\nasyncio.run(AsyncFileHandler().write_lines(path, ["theirs"]))', target)
    assert (await asyncio.to_thread(other.wait_for_line)) == "here"
    task = asyncio.create_task(handler.write_lines(target, ["ours"]))
    await virtual_clock.advance(5)
    assert not task.done()
    assert target.read_text() == "old\n"
    await asyncio.to_thread(other.kill)
    await task
    assert target.read_text() == "ours\n"


async def test_a_stream_is_written_once_it_has_come(handler: AsyncFileHandler, target: Path) -> None:
    """From any iterable, async or not; until then the file is the old one."""

    async def source() -> AsyncIterator[str]:
        for number in range(20_000):
            if number % 7_000 == 0:
                await asyncio.sleep(0)
            yield str(number)
        assert target.read_text() == "old\n"

    expected = [str(number) for number in range(20_000)]
    assert await handler.write_stream(target, source()) == 20_000
    assert await handler.read_lines(target) == expected
    assert await handler.write_stream(target, iter(["a", "b"])) == 2
    await handler.write_lines(target, (line for line in expected))
    assert await handler.read_lines(target) == expected
    assert await handler.write_stream(target, ()) == 0
    assert await handler.read_lines(target) == []


@pytest.mark.parametrize("fault", [ValueError("from the source"), asyncio.CancelledError(), "line\nbreak", 5])
async def test_a_stream_that_fails_leaves_the_old(
    names: Callable[[Path], list[str]], handler: AsyncFileHandler, target: Path, fault: object
) -> None:
    """By an error of its own, by a cancellation, by a bad line after thousands of good ones. (F5, F13c)"""

    async def source() -> AsyncIterator[str]:
        for number in range(20_000):
            yield str(number)
        if isinstance(fault, BaseException):
            raise fault
        yield fault  # type: ignore[misc]

    with pytest.raises((ValueError, asyncio.CancelledError)) as caught:
        await handler.write_stream(target, source())
    if not isinstance(fault, BaseException):
        assert isinstance(caught.value, LineError)
        assert "line 20001" in str(caught.value)
    assert target.read_text() == "old\n"
    assert names(target.parent) == ["lines.txt"]


async def test_a_stream_holds_one_batch_in_memory(
    handler: AsyncFileHandler, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long lines are passed on before they are many."""
    sizes = list[int]()
    real_write = os.write

    def write(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return real_write(fd, data)

    monkeypatch.setattr(os, "write", write)
    await handler.write_stream(target, ("x" * 100_000 for _ in range(20)), durable=False)
    assert sum(sizes) == 20 * 100_001
    assert max(sizes) <= 3 * 100_001


async def test_a_stream_may_read_what_it_replaces(handler: AsyncFileHandler, target: Path) -> None:
    """Filtering a file into itself is safe; so is writing to other files on the way."""

    async def source() -> AsyncIterator[str]:
        async for line in handler.iter_lines(target):
            await handler.append_lines(target.with_name("log"), [line])
            yield line.upper()

    await handler.write_stream(target, source())
    assert target.read_text() == "OLD\n"
    assert target.with_name("log").read_text() == "old\n"


async def test_a_stream_that_writes_to_its_own_target_is_told(handler: AsyncFileHandler, target: Path) -> None:
    """It would wait for itself for ever."""

    async def source() -> AsyncIterator[str]:
        yield "a"
        await handler.append_lines(target, ["b"])

    with pytest.raises(WriteInsideWrite, match="wait for itself"):
        await handler.write_stream(target, source())
    assert target.read_text() == "old\n"


async def test_encoding_and_writing_leave_the_loop_free(
    handler: AsyncFileHandler, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A big list is encoded on the thread, and a change of it meanwhile is not written. (F10)"""
    threads = set[str]()
    real_write = os.write
    lines = ["x"] * 50_000

    def write(fd: int, data: bytes) -> int:
        threads.add(threading.current_thread().name)
        lines.clear()
        return real_write(fd, data)

    monkeypatch.setattr(os, "write", write)
    await handler.write_lines(target, lines)
    assert [name.startswith("file-handler") for name in threads] == [True]
    assert target.stat().st_size == 100_000
