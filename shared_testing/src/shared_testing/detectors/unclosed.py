"""AT302: a session, connector, connection, socket or server is not closed."""

from __future__ import annotations

import functools
import re
import socket
import ssl
import sys
from asyncio import base_events, selector_events, sslproto, streams, unix_events
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence import closable
from shared_testing.evidence.births import Births, direct_maker, maker
from shared_testing.evidence.finalizers import without_warning
from shared_testing.evidence.harmless import harmless
from shared_testing.findings import Rule, site_of_code
from shared_testing.findings.site import is_users
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.births import Birth, Kind
    from shared_testing.findings import Finding
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT302",
    title="session, connector, transport or server not closed",
    cause="it was opened, and neither 'async with' nor close() ended it",
    fix="open it in 'async with', or close it in a finally block or the fixture's teardown",
    explanation=(
        "Each one holds descriptors and buffers until the garbage collector happens to find it. A server keeps its\n"
        "port, a client its connections; Python complains later, in whichever test runs then."
    ),
    bad="""
async def fetch(url):
    session = aiohttp.ClientSession()
    return await (await session.get(url)).json()
""",
    good="""
async def fetch(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.json()
""",
    lint="none; mypy and ruff do not follow the life of an object",
    not_seen="transports and servers of uvloop, and sockets that a library has made",
    other_loops="part",
)


_PACKAGE = re.compile(r"/(?:site|dist)-packages/(\w+)")
_TEST_UTILS = "/aiohttp/test_utils.py"
# Frames of these two between a socket and the user's line do not make it somebody else's.
_SOCKET_FILES = frozenset({socket.__file__, ssl.__file__})


class Unclosed(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._births = Births()
        self._parts = Births()
        """Of something that is told of itself: no finding, and silent when that is left open."""
        self._servers: set[base_events.Server] = set()
        """Kept alive: the sockets of a server that is lost would complain by themselves."""
        self._patches = Patches()
        self._aiohttp_is_watched = False
        self._quiet = 0
        """How many finalizers are running whose complaint is ours to make."""

    def install(self, observer: LoopObserver) -> None:
        self._watch_making(socket.socket, self._socket_made)
        self._watch_dying_sockets()
        self._watch_making(base_events.Server, self._server_made)
        for transport in (
            selector_events._SelectorTransport,  # type: ignore[attr-defined]
            unix_events._UnixReadPipeTransport,  # type: ignore[attr-defined]
            unix_events._UnixWritePipeTransport,  # type: ignore[attr-defined]
        ):
            self._watch_making(transport, self._transport_made)
            self._watch_dying(transport)
        self._watch_dying(sslproto._SSLProtocolTransport, _below)
        self._watch_dying(streams.StreamWriter, self._of_writer)
        observer.on_error.append(lambda _, __: self._quiet > 0)
        self._watch_complaints()

    def uninstall(self) -> None:
        self._patches.undo()
        self._aiohttp_is_watched = False

    def start(self, scope: Scope) -> None:
        self._births.start(scope)
        self._parts.start(scope)
        # Not imported for its own sake: it costs more than pytest.
        if not self._aiohttp_is_watched and "aiohttp.client" in sys.modules:
            self._watch_aiohttp(sys.modules["aiohttp.client"], sys.modules["aiohttp.connector"])

    def finish(self, scope: Scope) -> Iterable[Finding]:
        if left := self._births.end():
            self._parts.end()
        else:
            self._parts.clear()
        self._close_servers()
        return [birth.kind.finding(RULE, birth.site, birth.name) for birth in _causes(left)]

    def _close_servers(self) -> None:
        """Close the sockets of servers that were told of, behind their loops: they would complain once more."""
        for server in list(self._servers):
            if server._sockets is not None and server._loop.is_closed():  # type: ignore[attr-defined]
                for sock in server._sockets:  # type: ignore[attr-defined]
                    sock.close()
                server._sockets = None  # type: ignore[attr-defined]
            if server._sockets is None:  # type: ignore[attr-defined]
                self._servers.discard(server)

    def _watch_aiohttp(self, client: Any, connector: Any) -> None:
        self._watch_making(client.ClientSession, self._session_made)
        self._watch_dying(client.ClientSession)
        self._watch_making(connector.BaseConnector, self._connector_made)
        self._watch_dying(connector.BaseConnector)
        self._watch_dying(connector.Connection, _connector_behind)
        self._aiohttp_is_watched = True

    def _session_made(self, frame: FrameType, session: Any) -> None:
        site, via = maker(frame, session)
        if site is not None:
            kind = closable.TEST_CLIENT if _passes(via, _TEST_UTILS) else closable.SESSION
            birth = self._births.add(session, kind, site)
            if (connector := self._births.of(session.connector)) is not None and session.connector_owner:
                connector.owner = birth

    def _connector_made(self, frame: FrameType, connector: Any) -> None:
        site, via = maker(frame, connector)
        if site is None or _passes(via, "/aiohttp/client.py"):
            self._parts.add(connector, closable.CONNECTOR, None)
        else:
            self._births.add(connector, closable.CONNECTOR, site)

    def _server_made(self, frame: FrameType, server: base_events.Server) -> None:
        for sock in server._sockets:  # type: ignore[attr-defined]
            self._births.forget(sock)
            self._parts.add(sock, closable.SOCKET, None)
        site, via = maker(frame, server)
        if site is None:
            return
        kind = closable.SERVER
        if _passes(via, "/aiohttp/"):
            kind = closable.TEST_SERVER if _passes(via, _TEST_UTILS) else closable.WEB_SERVER
        self._births.add(server, kind, site)
        self._servers.add(server)

    def _transport_made(self, frame: FrameType, transport: Any) -> None:
        if (sock := getattr(transport, "_sock", None)) is not None:
            self._births.forget(sock)
            self._parts.add(sock, closable.CARRIER, None)
        site, via = maker(frame, transport)
        if _passes(via, "/aiohttp/") or _passes(via, "/asyncio/base_subprocess.py"):
            site = None
        if site is not None:
            kind, library = _kind_of(transport, via), _opener(via)
            # Its StreamWriter is out of the user's reach.
            kind = closable.LIBRARYS_STREAM if kind is closable.STREAM and library else kind
            self._births.add(transport, kind, site, library)
            return
        self._parts.add(transport, closable.PART, None)
        code = getattr(getattr(transport.get_protocol(), "_client_connected_cb", None), "__code__", None)
        if code is not None and is_users(code.co_filename):
            self._births.add(transport, closable.ACCEPTED, site_of_code(code), code.co_qualname)

    def _socket_made(self, frame: FrameType, sock: socket.socket) -> None:
        if (site := direct_maker(frame, _SOCKET_FILES)) is not None:
            self._births.add(sock, closable.SOCKET, site)

    def _watch_making(self, owner: Any, made: Callable[[FrameType, Any], None]) -> None:
        original, note = owner.__init__, harmless(None)(made)
        births = self._births

        @functools.wraps(original)
        def observed_init(thing: Any, *args: Any, **kwargs: Any) -> None:
            original(thing, *args, **kwargs)
            if births.wanted:
                note(sys._getframe(1), thing)

        self._patches.set(owner, "__init__", observed_init)

    def _watch_dying(self, owner: Any, thing_of: Callable[[Any], Any] = lambda thing: thing) -> None:
        """Python's own complaint at the death of a thing would reach whichever test runs then: ours replaces it."""
        original, find = owner.__del__, harmless(None)(thing_of)
        quietly = without_warning(original)

        @functools.wraps(original)
        def observed_del(dying: Any, **kwargs: Any) -> None:
            if not self._is_ours(find(dying)):
                original(dying, **kwargs)
                return
            self._quiet += 1
            try:
                quietly(dying)
            finally:
                self._quiet -= 1

        self._patches.set(owner, "__del__", observed_del)

    def _watch_dying_sockets(self) -> None:
        original = socket.socket.__del__  # type: ignore[attr-defined]

        def observed_del(sock: socket.socket) -> None:
            if self._is_ours(sock):
                sock.close()
            else:
                original(sock)

        self._patches.set(socket.socket, "__del__", observed_del)

    def _is_ours(self, thing: Any) -> bool:
        known = thing is not None and (self._births.knows(thing) or self._parts.knows(thing))
        return known and self._died(thing)

    @harmless(False)
    def _died(self, thing: Any) -> bool:
        """Whether it was left open, and a finding says so: its own, or that of what it is a part of."""
        told = self._parts.is_told(thing)
        part = self._parts.died(thing)
        if part is not None and (told or part.kind is closable.CARRIER or self._births.any_may_be_left()):
            self._births.died(thing)
            return True
        return self._births.died(thing) is not None

    def _of_writer(self, writer: streams.StreamWriter) -> Any:
        transport = _below(writer.transport)
        birth = self._births.of(transport)
        if birth is not None and birth.kind is closable.ACCEPTED and not transport.is_closing():
            # From Python 3.13 on the writer dies with the last line of its handler, which then has not ended quite.
            handler = transport.get_protocol()._task
            birth.dropped = handler is not None and not handler.cancelling()
        return transport

    def _watch_complaints(self) -> None:
        """aiohttp's finalizers also log, by way of their loop, which need not be one that is observed."""
        original = base_events.BaseEventLoop.call_exception_handler

        @functools.wraps(original)
        def observed(loop: base_events.BaseEventLoop, context: dict[str, Any]) -> None:
            if not self._quiet:
                original(loop, context)

        self._patches.set(base_events.BaseEventLoop, "call_exception_handler", observed)


def _causes(left: list[Birth]) -> list[Birth]:
    """Without what follows from another one."""
    kinds = {birth.kind for birth in left}
    if closable.TEST_CLIENT in kinds:
        left = [birth for birth in left if birth.kind is not closable.TEST_SERVER]
    # The far end of a connection that is told of is no cause of its own.
    return [birth for birth in left if birth.kind is not closable.ACCEPTED] or left


def _kind_of(transport: Any, via: tuple[str, ...]) -> Kind:
    if _passes(via, "/asyncio/streams.py"):
        return closable.STREAM
    if isinstance(transport, selector_events._SelectorDatagramTransport):  # type: ignore[attr-defined]
        return closable.DATAGRAM
    return closable.TRANSPORT if hasattr(transport, "_sock") else closable.PIPE


def _opener(via: tuple[str, ...]) -> str:
    """The installed package whose code stands between asyncio and the user, if there is one."""
    packages = (_PACKAGE.search(path) for path in via)
    return next((found[1] for found in packages if found), "")


def _connector_behind(connection: Any) -> Any:
    """What a lost connection belongs to; one that was given back, or whose loop is over, dies in peace."""
    lost = connection._protocol is not None and not connection._loop.is_closed()
    return connection._connector if lost else None


def _below(transport: Any) -> Any:
    """The transport of the socket, under one of TLS; None when that has let go of it."""
    if not hasattr(transport, "_ssl_protocol"):
        return transport
    protocol = transport._ssl_protocol
    return None if protocol is None else protocol._transport


def _passes(via: tuple[str, ...], file: str) -> bool:
    return file in "\n".join(via)
