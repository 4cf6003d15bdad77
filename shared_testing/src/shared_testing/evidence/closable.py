"""What must be closed, in words, and how to see whether it is (AT302)."""

from __future__ import annotations

from asyncio import sslproto
from typing import Any

from shared_testing.evidence.births import Kind


def _transport_is_open(transport: Any) -> bool:
    protocol = transport.get_protocol() if hasattr(transport, "get_protocol") else None
    if isinstance(protocol, sslproto.SSLProtocol) and (above := protocol._app_transport) is not None:
        # TLS says goodbye first: closed by the user, the connection below it still waits for the other side.
        return not above.is_closing() and not transport.is_closing()
    return not transport.is_closing()


def _accepted_is_open(transport: Any) -> bool:
    # While its handler runs it may still close it; one that was cancelled was not at its end.
    handler = getattr(transport.get_protocol(), "_task", None)
    return handler is not None and handler.done() and not handler.cancelled() and not transport.is_closing()


SESSION = Kind(
    "aiohttp.ClientSession was not closed",
    lambda session: not session.closed,
    fix="open it in 'async with aiohttp.ClientSession() as session:', or await session.close()",
)
TEST_CLIENT = Kind(
    "aiohttp TestClient was not closed",
    SESSION.is_open,
    cause="neither 'async with' nor close() ended it: its session stays open, and its server too",
    fix="open it in 'async with TestClient(TestServer(app)) as client:', or await client.close()",
)
CONNECTOR = Kind("aiohttp connector was not closed", lambda it: not it.closed, fix="await connector.close()")
SERVER = Kind(
    "asyncio server was not closed",
    lambda server: server._sockets is not None,
    fix="serve in 'async with server:', or call server.close() and await server.wait_closed()",
)
TEST_SERVER = Kind(
    "aiohttp TestServer was not closed",
    SERVER.is_open,
    fix="open it in 'async with TestServer(app) as server:', or await server.close()",
)
WEB_SERVER = Kind(
    "aiohttp server was not cleaned up",
    SERVER.is_open,
    cause="the site was started, and its runner never cleaned up: the port stays open",
    fix="await runner.cleanup() in a finally block or the fixture's teardown",
)
STREAM = Kind(
    "connection of asyncio.open_connection() was not closed",
    _transport_is_open,
    cause="the StreamWriter was not closed; losing it does not close the connection",
    fix="call writer.close() and await writer.wait_closed() in a finally block",
)
LIBRARYS_STREAM = Kind(
    "connection that {name} opened was not closed",
    _transport_is_open,
    cause="what the library gave out was neither closed nor left by 'async with'",
    fix="close the library's client, connection or pool in a finally block or the fixture's teardown",
)
ACCEPTED = Kind(
    "connection that {name}() accepted was not closed",
    _accepted_is_open,
    cause="the handler returned, and did not close the StreamWriter that it was given",
    fix="call writer.close() and await writer.wait_closed() in a finally block of the handler",
)
DATAGRAM = Kind("datagram endpoint was not closed", _transport_is_open, fix="call transport.close()")
PIPE = Kind("pipe transport was not closed", _transport_is_open, fix="call transport.close()")
TRANSPORT = Kind("transport was not closed", _transport_is_open, fix="call transport.close()")
SOCKET = Kind(
    "socket was not closed",
    lambda sock: not sock._closed and sock.fileno() != -1,
    fix="open it in 'with socket.socket(...) as sock:', or call sock.close() in a finally block",
)
# Under a transport, which complains itself.
CARRIER = Kind("socket", SOCKET.is_open)
# Belongs to something above it, which is told of instead.
PART = Kind("part", _transport_is_open)
