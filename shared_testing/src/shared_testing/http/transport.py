"""Two asyncio transports, joined back to back: a TCP connection without a socket.

What a protocol sees follows asyncio's ``_SelectorSocketTransport`` and Linux's TCP, in which order and how many turns
of the loop later: `tests/http/test_transport.py` plays the same list to both. Every step between the two sides is
one ``loop.call_soon``: nothing is registered with the selector, so there is nothing that virtual time would wait for.
"""

from __future__ import annotations

import asyncio
from asyncio import constants, transports
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# What lies between two programs: the buffers of both sockets together. Linux's are larger and grow as they are used;
# a small one makes flow control show early, and always at the same byte.
_CAPACITY = 256 * 1024

# As much as asyncio takes from a socket at once.
_READ_SIZE = 256 * 1024

_FIN = EOFError("the peer has sent all it had to send")


class MemoryTransport(transports._FlowControlMixin):
    """One end of a connection. Flow control of the writing side is asyncio's own mixin."""

    # loop.sendfile(), which aiohttp uses for files, then reads the file and writes it here.
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    _peer: MemoryTransport
    # Of the mixin, which its stubs leave out.
    _loop: asyncio.AbstractEventLoop
    _maybe_pause_protocol: Callable[[], None]
    _maybe_resume_protocol: Callable[[], None]

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        extra: Mapping[str, Any],
        context: Context | None = None,
    ) -> None:
        super().__init__(dict(extra), loop)
        self._protocol: Any = protocol
        self._context = context or copy_context()
        """In which the protocol is called, whoever on the other side caused it."""
        self._unsent = bytearray()
        """Written here, and not yet on its way: what flow control counts."""
        self._arrived = bytearray()
        """On its way to us, or waiting until we read."""
        self._end: Exception | None = None
        """What comes after the last byte: the peer's FIN, or the error that a reset gives."""
        self._end_is_read = False
        self._reading = False
        """Whether a read is scheduled."""
        self._paused = True
        """Until the connection is made."""
        self._eof_written = False
        self._closing = False
        self._losing = False
        """connection_lost() is scheduled, or was called."""
        self._gone = False
        self._resets = False

    def __repr__(self) -> str:
        state = "closed" if self._gone else "closing" if self._closing else "open"
        return f"<MemoryTransport {state} peer={self.get_extra_info('peername')} unsent={len(self._unsent)}>"

    def start(self) -> None:
        """Tell the protocol that it is connected, and begin to read."""
        self._soon(self._protocol.connection_made, self)
        self._soon(self._start_reading)

    # ------------------------------------------------------------ writing

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._losing or not data:
            return
        self._unsent += data
        if len(self._unsent) == len(data):
            self._send()
        if not self._losing:
            self._maybe_pause_protocol()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        if not (self._closing or self._eof_written):
            self._eof_written = True
            if not self._unsent:
                self._peer._meet_end(_FIN)

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def _send(self) -> None:
        """Put as much on its way as there is room for."""
        peer = self._peer
        if peer._gone:
            broken = self._end is None or self._end is _FIN
            self._lose(BrokenPipeError(32, "Broken pipe") if broken else self._end)
            return
        room = _CAPACITY - len(peer._arrived)
        if room > 0:
            peer._arrived += self._unsent[:room]
            del self._unsent[:room]
            peer._read_soon()

    def _go_on_sending(self) -> None:
        """There is room again."""
        if self._losing or not self._unsent:
            return
        self._send()
        if self._losing:
            return
        self._maybe_resume_protocol()
        if self._unsent:
            return
        if self._closing:
            self._losing = True
            self._end_connection(None)
        elif self._eof_written:
            self._peer._meet_end(_FIN)

    # ------------------------------------------------------------ reading

    def is_reading(self) -> bool:
        return not self._closing and not self._paused

    def pause_reading(self) -> None:
        if self.is_reading():
            self._paused = True

    def resume_reading(self) -> None:
        if self._paused and not self._closing:
            self._paused = False
            self._read_soon()

    def _start_reading(self) -> None:
        self._paused = False
        self._read_soon()

    def _read_soon(self) -> None:
        something = self._arrived or (self._end is not None and not self._end_is_read)
        if something and not self._reading and self.is_reading():
            self._reading = True
            self._arrive(self._read)

    def _read(self) -> None:
        self._reading = False
        if not self.is_reading():
            return
        if self._arrived:
            data = bytes(self._arrived[:_READ_SIZE])
            del self._arrived[:_READ_SIZE]
            if self._peer._unsent:
                self._peer._arrive(self._peer._go_on_sending)
            self._guarded("data_received", data)
            self._read_soon()
        elif self._end is not None and not self._end_is_read:
            self._end_is_read = True
            if self._end is not _FIN:
                self._lose(self._end)
            elif not self._guarded("eof_received"):
                self.close()

    def _meet_end(self, end: Exception) -> None:
        """The peer says that no more bytes will come."""
        if self._end is None or (self._end is _FIN and not self._end_is_read):
            self._end = end
        self._read_soon()
        if self._unsent and self._peer._gone:
            self._arrive(self._go_on_sending)

    def _guarded(self, method: str, *args: Any) -> Any:
        try:
            return getattr(self._protocol, method)(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as asyncio does: whatever it is, it ends the connection
            message = f"Fatal error: protocol.{method}() call failed."
            context = {"message": message, "exception": error, "transport": self, "protocol": self._protocol}
            self._loop.call_exception_handler(context)
            self._lose(error)
            return True

    # ------------------------------------------------------------ life

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Send what was written, then end the connection."""
        if not self._closing:
            self._closing = True
            if not self._unsent:
                self._losing = True
                self._soon(self._end_connection, None)

    def abort(self) -> None:
        """End the connection at once. The peer still gets what is on its way, and then sees its end."""
        self._lose(None)

    def reset(self) -> None:
        """End the connection at once by TCP's RST, as a dying server does: the peer gets a ConnectionResetError."""
        self._resets = True
        self._lose(None)

    def _lose(self, error: BaseException | None) -> None:
        if not self._losing:
            self._unsent.clear()
            self._closing = self._losing = True
            self._soon(self._end_connection, error)

    def _end_connection(self, error: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            self._gone = True
            self._protocol = None
            # Linux answers by RST, not FIN, when a program closes a connection before it has read all of it.
            unheard = self._resets or len(self._arrived) > 0
            self._arrived.clear()
            self._peer._meet_end(ConnectionResetError(104, "Connection reset by peer") if unheard else _FIN)

    def _soon(self, callback: Callable[..., Any], *args: Any) -> None:
        """What asyncio itself does at this end: in order."""
        if not self._loop.is_closed():
            self._loop.call_soon(callback, *args, context=self._context)

    def _arrive(self, callback: Callable[..., Any]) -> None:
        """What the network does: whoever explores schedules may have it late, and after what others send."""
        arrives = getattr(self._loop, "arrives_soon", None)
        if arrives is None:
            self._soon(callback)
        elif not self._loop.is_closed():
            arrives(callback, source=self, context=self._context)


def join(one: MemoryTransport, other: MemoryTransport) -> None:
    """Make them the two ends of one connection. Nothing moves before each is started."""
    one._peer, other._peer = other, one
