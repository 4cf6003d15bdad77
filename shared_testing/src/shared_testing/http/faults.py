"""What may go wrong between a client and a server, by name.

Each request fault is a function of that name. They use what aiohttp gives to a handler and nothing of the memory
transport, so that they do the same on a real connection.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

from aiohttp import web

from shared_testing.http.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler

ConnectionFault = Literal["dns_failure", "refused", "unreachable"]
"""The client cannot connect: its name is not found, nobody listens, nobody answers."""

RequestFault = Literal[
    "answer_lost",
    "close_before_headers",
    "close_mid_body",
    "endless_stream",
    "garbage",
    "html_error_page",
    "latency",
    "malformed_json",
    "oversized_header",
    "rate_limited",
    "redirect_loop",
    "reset_before_headers",
    "reset_mid_body",
    "server_error",
    "slow_headers",
    "stall",
    "stall_mid_body",
    "trickle",
    "truncated",
]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that goes wrong."""

    request: web.Request
    handler: Handler
    """What would have answered it."""
    seconds: float
    """How long the fault takes, where it takes time."""

    async def answer(self) -> web.Response:
        """What the application answers."""
        try:
            answer = await self.handler(self.request)
        except web.HTTPException as error:
            answer = error
        if isinstance(answer, web.Response) and not answer.prepared and isinstance(answer.body, (bytes, type(None))):
            return answer
        raise TypeError(f"{self.request.path} answers with {answer!r}; a fault can only spoil a web.Response of bytes")

    def write(self, data: bytes) -> None:
        """Send bytes behind aiohttp's back."""
        if isinstance(self.request.transport, asyncio.WriteTransport):
            self.request.transport.write(data)


# ------------------------------------------------------------ the server is slow


async def latency(exchange: Exchange) -> web.StreamResponse:
    await asyncio.sleep(exchange.seconds)
    return await exchange.handler(exchange.request)


async def slow_headers(exchange: Exchange) -> web.StreamResponse:
    """The head of the answer comes line by line, over `seconds` in all."""
    answer = await exchange.answer()
    body = _body_of(answer)
    headers = {**answer.headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in headers.items()), ""]
    for line in lines:
        await asyncio.sleep(exchange.seconds / len(lines))
        exchange.write(f"{line}\r\n".encode())
    exchange.write(body)
    return _close(exchange.request)


async def trickle(exchange: Exchange) -> web.StreamResponse:
    """The body comes byte by byte, over `seconds` in all."""
    answer = await exchange.answer()
    body = _body_of(answer)
    response = await _begin(exchange.request, answer, length=len(body))
    for index in range(len(body)):
        await asyncio.sleep(exchange.seconds / len(body))
        await response.write(body[index : index + 1])
    return response


async def stall(_: Exchange) -> NoReturn:
    """No answer ever comes."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nothing sets that future")


async def stall_mid_body(exchange: Exchange) -> NoReturn:
    await _send_half(exchange)
    await stall(exchange)


async def endless_stream(exchange: Exchange) -> web.StreamResponse:
    """A thousand spaces, which may begin any JSON, in each tenth of `seconds`, for as long as the client listens."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(exchange.request)
    while True:
        await response.write(b" " * 1000)
        await asyncio.sleep(exchange.seconds / 10)


# ------------------------------------------------------------ the connection dies


async def close_before_headers(exchange: Exchange) -> web.StreamResponse:
    return _close(exchange.request)


async def reset_before_headers(exchange: Exchange) -> web.StreamResponse:
    return reset(exchange.request)


async def answer_lost(exchange: Exchange) -> web.StreamResponse:
    """The server does what it was asked for, and dies before it can say so."""
    await exchange.answer()
    return reset(exchange.request)


async def close_mid_body(exchange: Exchange) -> web.StreamResponse:
    response = await _send_half(exchange)
    _close(exchange.request)
    return response


async def reset_mid_body(exchange: Exchange) -> web.StreamResponse:
    response = await _send_half(exchange)
    reset(exchange.request)
    return response


async def truncated(exchange: Exchange) -> web.StreamResponse:
    """A chunked answer without its last chunk."""
    answer = await exchange.answer()
    response = await _begin(exchange.request, answer, length=None)
    await response.write(_body_of(answer) or b" ")
    _close(exchange.request)
    return response


# ------------------------------------------------------------ the answer is nonsense


async def garbage(exchange: Exchange) -> web.StreamResponse:
    exchange.write(b"NOT HTTP AT ALL\r\n\r\n")
    return _close(exchange.request)


async def oversized_header(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.answer()
    answer.headers["X-Oversized"] = "x" * 20_000
    return answer


async def malformed_json(_: Exchange) -> web.StreamResponse:
    return web.Response(body=b'{"id": 1, "na', content_type="application/json")


async def html_error_page(_: Exchange) -> web.StreamResponse:
    """What a proxy answers whose server is away."""
    return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")


async def server_error(_: Exchange) -> web.StreamResponse:
    return web.json_response({"error": "internal error"}, status=500)


async def rate_limited(exchange: Exchange) -> web.StreamResponse:
    """429, with `seconds` as Retry-After."""
    headers = {"Retry-After": f"{exchange.seconds:.0f}"}
    return web.json_response({"error": "too many requests"}, status=429, headers=headers)


async def redirect_loop(exchange: Exchange) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": exchange.request.raw_path})


REQUEST_FAULTS: dict[str, Callable[[Exchange], Awaitable[web.StreamResponse]]] = {
    fault.__name__: fault
    for fault in (
        answer_lost,
        close_before_headers,
        close_mid_body,
        endless_stream,
        garbage,
        html_error_page,
        latency,
        malformed_json,
        oversized_header,
        rate_limited,
        redirect_loop,
        reset_before_headers,
        reset_mid_body,
        server_error,
        slow_headers,
        stall,
        stall_mid_body,
        trickle,
        truncated,
    )
}


# ------------------------------------------------------------ what they do


def reset(request: web.BaseRequest) -> web.Response:
    """Cut the connection under this request by RST, as a dying server does; the response returned is never seen."""
    transport = request.transport
    if isinstance(transport, MemoryTransport):
        transport.reset()
    elif transport is not None:
        # Linger for 0 seconds makes the kernel send RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()


def _close(request: web.Request) -> web.Response:
    """The same by FIN, after what was written."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _send_half(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.answer()
    # Something is missing, also where there was nothing.
    body = _body_of(answer) or b" "
    response = await _begin(exchange.request, answer, length=len(body))
    await response.write(body[: len(body) // 2])
    return response


async def _begin(request: web.Request, answer: web.Response, *, length: int | None) -> web.StreamResponse:
    """Send the head of the answer, for a body of that length; None for a chunked one."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=answer.headers)
    response.content_length = length
    if length is None:
        response.enable_chunked_encoding()
    await response.prepare(request)
    return response


def _body_of(answer: web.Response) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b""
