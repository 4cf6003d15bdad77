"""What a protocol sees of its transport: the same in memory as on asyncio's own."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from shared_testing.http.transport import MemoryTransport, join

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Recorder(asyncio.Protocol):
    """Notes what it is told; data that comes in several pieces as one."""

    def __init__(self, *, half_open: bool = False) -> None:
        self.half_open = half_open
        self.events: list[Any] = []
        self.transport: Any = None
        self.received = 0
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.events[-1] != "data":
            self.events.append("data")

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self.half_open

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(type(exc).__name__ if exc else "lost")
        self.lost.set_result(exc)


Connect = "Callable[..., Awaitable[tuple[Recorder, Recorder]]]"


async def in_memory(one: Recorder, other: Recorder) -> None:
    loop = asyncio.get_running_loop()
    ends = MemoryTransport(loop, one, {}), MemoryTransport(loop, other, {})
    join(*ends)
    for end in ends:
        end.start()


async def over_tcp(one: Recorder, other: Recorder) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: other, "127.0.0.1", 0)
    await loop.create_connection(lambda: one, *server.sockets[0].getsockname())
    # Who is connected is not yet accepted, and a server that closes drops those.
    await until(lambda: other.transport is not None)
    server.close()


@pytest_asyncio.fixture(params=[in_memory, over_tcp], ids=["memory", "tcp"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Awaitable[tuple[Recorder, Recorder]]]]:
    made: list[Recorder] = []

    async def connect(*, half_open: bool = False) -> tuple[Recorder, Recorder]:
        one, other = Recorder(half_open=half_open), Recorder(half_open=half_open)
        await request.param(one, other)
        await until(lambda: one.transport is not None and other.transport is not None)
        made.extend((one, other))
        return one, other

    yield connect
    for each in made:
        if not each.lost.done():
            each.transport.abort()
    await asyncio.wait([each.lost for each in made])


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - for turns, not for an event
            await asyncio.sleep(0)


async def quiet(*recorders: Recorder) -> None:
    """Wait until nothing more happens to them."""
    turns = 0
    while turns < 100:
        before = [(len(each.events), each.received) for each in recorders]
        await asyncio.sleep(0)
        turns = turns + 1 if before == [(len(each.events), each.received) for each in recorders] else 0


def reset(transport: Any) -> None:
    if isinstance(transport, MemoryTransport):
        transport.reset()
        return
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def test_data_then_the_end(connect: Any) -> None:
    """The closing side loses its connection; the other gets the data, the end, and loses its own."""
    one, other = await connect()
    one.transport.write(b"hello")
    one.transport.close()
    await until(other.lost.done)
    assert one.events == ["made", "lost"]
    assert (other.events, other.received) == (["made", "data", "eof", "lost"], 5)


async def test_the_closing_side_is_told_first(connect: Any) -> None:
    """The other one a turn of the loop later, or more."""
    one, other = await connect()
    one.transport.close()
    assert one.events == ["made"]
    await one.lost
    assert other.events == ["made"]
    await other.lost


async def test_close_sends_what_was_written(connect: Any) -> None:
    """Megabytes, to a slow reader: the connection is lost when they are gone."""
    one, other = await connect()
    other.transport.pause_reading()
    one.transport.write(b"x" * 20_000_000)
    one.transport.close()
    one.transport.close()
    await quiet(one, other)
    assert (one.events, one.transport.is_closing()) == (["made", "pause"], True)
    other.transport.resume_reading()
    await until(other.lost.done)
    assert other.received == 20_000_000
    assert one.events[-1] == "lost"


async def test_abort_does_not(connect: Any) -> None:
    """What was on its way arrives, then the end."""
    one, other = await connect()
    other.transport.pause_reading()
    one.transport.write(b"x" * 20_000_000)
    await quiet(one, other)
    one.transport.abort()
    assert one.transport.get_write_buffer_size() == 0
    other.transport.resume_reading()
    await until(other.lost.done)
    assert 0 < other.received < 20_000_000
    assert other.events[-2:] == ["eof", "lost"]


async def test_a_reset_is_an_error_for_the_other(connect: Any) -> None:
    """After the data that came before it."""
    one, other = await connect()
    one.transport.write(b"hello")
    reset(one.transport)
    await until(other.lost.done)
    assert one.events == ["made", "lost"]
    assert (other.events, other.received) == (["made", "data", "ConnectionResetError"], 5)


async def test_half_closed(connect: Any) -> None:
    """After write_eof() the other direction goes on."""
    one, other = await connect(half_open=True)
    assert one.transport.can_write_eof()
    one.transport.write(b"question")
    one.transport.write_eof()
    one.transport.write_eof()
    await until(lambda: "eof" in other.events)
    other.transport.write(b"answer")
    other.transport.close()
    await until(lambda: "eof" in one.events)
    assert (one.received, other.received) == (6, 8)
    assert one.events == ["made", "data", "eof"]
    with pytest.raises(RuntimeError, match="after write_eof"):
        one.transport.write(b"more")


async def test_the_end_of_a_direction_waits_for_its_data(connect: Any) -> None:
    """write_eof() with megabytes still to be sent."""
    one, other = await connect(half_open=True)
    other.transport.pause_reading()
    one.transport.write(b"x" * 20_000_000)
    one.transport.write_eof()
    await quiet(one, other)
    other.transport.resume_reading()
    await until(lambda: "eof" in other.events)
    assert other.received == 20_000_000
    assert "lost" not in one.events


async def test_the_writer_is_paused_and_resumed(connect: Any) -> None:
    """Over the high-water mark, and under the low one, once each."""
    one, other = await connect()
    other.transport.pause_reading()
    while "pause" not in one.events:
        one.transport.write(b"x" * 100_000)
        await asyncio.sleep(0)
    assert one.transport.get_write_buffer_size() > one.transport.get_write_buffer_limits()[1]
    one.transport.write(b"x" * 1_000_000)
    other.transport.resume_reading()
    await until(lambda: one.transport.get_write_buffer_size() == 0)
    assert one.events == ["made", "pause", "resume"]


async def test_the_limits_can_be_set(connect: Any) -> None:
    """With a limit of nothing, each byte that waits pauses."""
    one, other = await connect()
    assert one.transport.get_write_buffer_limits() == (16_384, 65_536)
    one.transport.set_write_buffer_limits(high=0)
    other.transport.pause_reading()
    one.transport.write(b"x" * 20_000_000)
    assert one.events == ["made", "pause"]


async def test_a_paused_reader_gets_nothing(connect: Any) -> None:
    """Not even the end; pausing and resuming twice is once."""
    one, other = await connect()
    other.transport.pause_reading()
    other.transport.pause_reading()
    assert not other.transport.is_reading()
    one.transport.write(b"hello")
    one.transport.close()
    await quiet(one, other)
    assert other.events == ["made"]
    other.transport.resume_reading()
    other.transport.resume_reading()
    await until(other.lost.done)
    assert other.events == ["made", "data", "eof", "lost"]


async def test_pausing_takes_effect_at_once(connect: Any) -> None:
    """Data that has arrived, and was not handed over yet, waits."""
    one, other = await connect()
    one.transport.write(b"hello")
    other.transport.pause_reading()
    await quiet(one, other)
    assert other.received == 0


async def test_unread_data_makes_the_end_a_reset(connect: Any) -> None:
    """Who closes without having read all tells the other that it was lost."""
    one, other = await connect()
    other.transport.pause_reading()
    one.transport.write(b"nobody reads this")
    await quiet(one, other)
    other.transport.close()
    await until(one.lost.done)
    assert one.events == ["made", "ConnectionResetError"]


async def test_writing_to_nobody(connect: Any) -> None:
    """The peer is gone: what is still to be sent cannot be."""
    one, other = await connect()
    other.transport.pause_reading()
    one.transport.write(b"x" * 20_000_000)
    await quiet(one, other)
    other.transport.abort()
    await until(one.lost.done)
    assert one.events[:2] == ["made", "pause"]
    assert isinstance(one.lost.result(), (ConnectionResetError, BrokenPipeError))


async def test_writing_to_nobody_without_reading(connect: Any) -> None:
    """Who does not listen learns it from what cannot be sent."""
    one, other = await connect()
    other.transport.pause_reading()
    one.transport.pause_reading()
    one.transport.write(b"x" * 20_000_000)
    await quiet(one, other)
    other.transport.abort()
    await until(one.lost.done)
    assert isinstance(one.lost.result(), (ConnectionResetError, BrokenPipeError))


async def test_what_is_written_after_close_is_not_sent(connect: Any) -> None:
    """Nor after abort()."""
    for end in ("close", "abort"):
        one, other = await connect()
        getattr(one.transport, end)()
        one.transport.write(b"late")
        await until(other.lost.done)
        assert other.events == ["made", "eof", "lost"]


async def test_after_the_end(connect: Any) -> None:
    """Writing, pausing and closing do nothing, and raise nothing."""
    one, other = await connect()
    one.transport.close()
    await until(lambda: one.lost.done() and other.lost.done())
    for transport in (one.transport, other.transport):
        transport.write(b"late")
        transport.pause_reading()
        transport.resume_reading()
        transport.write_eof()
        transport.close()
        transport.abort()
        assert transport.is_closing()
        assert not transport.is_reading()
    await quiet(one, other)
    assert other.events == ["made", "eof", "lost"]


async def test_an_error_in_the_protocol_ends_the_connection(connect: Any) -> None:
    """The loop is told, and the protocol loses its connection with that error."""
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    one, other = await connect()
    other.data_received = lambda data: 1 / 0
    one.transport.write(b"hello")
    await until(other.lost.done)
    assert other.events == ["made", "ZeroDivisionError"]
    assert told[0]["message"] == "Fatal error: protocol.data_received() call failed."
    assert isinstance(told[0]["exception"], ZeroDivisionError)


async def test_only_bytes_are_written(connect: Any) -> None:
    """Any of their kinds; nothing is nothing."""
    one, other = await connect()
    for data in (b"a", bytearray(b"b"), memoryview(b"c"), b""):
        one.transport.write(data)
    one.transport.writelines([b"d", bytearray(b"e")])
    await until(lambda: other.received == 5)
    with pytest.raises(TypeError, match="bytes-like object, not 'str'"):
        one.transport.write("f")


async def test_what_was_written_may_change_afterwards(connect: Any) -> None:
    """The transport has its own copy."""
    one, other = await connect()
    seen: list[bytes] = []
    other.data_received = seen.append
    data = bytearray(b"before")
    one.transport.write(data)
    data[:] = b"after!"
    await until(lambda: bool(seen))
    assert bytes(seen[0]) == b"before"


async def test_another_protocol_takes_over(connect: Any) -> None:
    """What arrives from then on is for that one."""
    one, other = await connect()
    heir = Recorder()
    heir.events.append("heir")
    other.transport.set_protocol(heir)
    assert other.transport.get_protocol() is heir
    one.transport.write(b"hello")
    one.transport.close()
    await until(heir.lost.done)
    assert heir.events == ["heir", "data", "eof", "lost"]
    other.lost.set_result(None)
