"""Which application is behind which host name."""

from __future__ import annotations

import asyncio
import difflib
from typing import TYPE_CHECKING, Any, Self

from shared_testing.evidence import stubs
from shared_testing.findings.site import user_site
from shared_testing.http import interception
from shared_testing.http.backend import Backend
from shared_testing.http.local_servers import is_served_by
from shared_testing.http.origin import Origin, origin_of, served_origin
from shared_testing.http.served_host import ServedHost

if TYPE_CHECKING:
    from types import FrameType

    from aiohttp import web
    from yarl import URL

_LAST_TURNS = 10


class UnknownHost(AssertionError):
    """A request went to a host at which the test serves nothing.

    Not a ClientError: code that takes those for an outage, and tries again, must not hide a typing error.
    """


class Network:
    """``async with Network() as network``: each ``aiohttp.TCPConnector`` of this process reaches these hosts only.

    The code under test keeps its URLs, sessions and connectors. Requests to other hosts raise :class:`UnknownHost`,
    except to servers that this event loop itself runs on loopback, as ``TestServer`` does, and to what is allowed.
    """

    def __init__(self) -> None:
        self.refused: list[str] = []
        """Requests to unknown hosts, in words."""
        self._hosts: dict[Origin, ServedHost] = {}
        self._backends: list[Backend] = []
        self._allowed: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve(self, url: str, app: web.Application, **options: Any) -> ServedHost:
        """Serve `app` at that scheme, host and port: ``network.serve("https://api.example.com", app)``.

        It starts with the first connection. One application may be served at several hosts; a host that is served
        already gets the new one, for new connections. `options` are those of ``aiohttp.web.AppRunner``, such as
        ``handler_cancellation=True``.
        """
        origin = served_origin(url)
        backend = next((each for each in self._backends if each.app is app), None)
        if backend is None:
            backend = Backend(app, options)
            self._backends.append(backend)
        elif options:
            raise ValueError(f"serve({url!r}): the application is served already, and keeps the options of then")
        host = self._hosts[origin] = ServedHost(origin, backend)
        return host

    def allow(self, *hosts: str) -> None:
        """Let requests to these hosts out to the real network, whatever their port."""
        self._allowed.update(host.lower() for host in hosts)

    def unused(self) -> list[str]:
        """The faults that nothing has met, in words."""
        return [f"{host.url}: {fault}" for host in self._hosts.values() for fault in host.unused()]

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        interception.begin(self)
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            for host in self._hosts.values():
                host.tell_unused()
                host.shut()
            for backend in self._backends:
                await backend.close()
            # A client whose connection has just died may try again at once: not on the real network.
            for _ in range(_LAST_TURNS):
                await asyncio.sleep(0)
                # asyncio shows its ready queue to nobody; a loop that hides it gets all the turns.
                if not getattr(self._loop, "_ready", True):
                    break
        finally:
            interception.end(self)

    # ------------------------------------------------------------ what a connector asks

    def find(self, host: str, port: int) -> ServedHost | None:
        """Who has that name, with or without TLS."""
        name = host.lower().rstrip(".")
        for secure in (True, False):
            if (found := self._hosts.get(Origin(secure, name, port))) is not None:
                return found
        return None

    def route(self, url: URL) -> ServedHost | None:
        """The host of that request; None for one that this network does not know."""
        host = self._hosts.get(origin_of(url))
        if host is not None and asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                f"{host.url} is served on the event loop that the network was entered on, and the request comes from "
                "another; enter the network, or the fixture that does, in the loop of the test (its loop_scope)"
            )
        return host

    def lets_out(self, url: URL) -> bool:
        """Whether a request may go to the real network."""
        host, port = url.raw_host, url.port
        return host is not None and (host in self._allowed or is_served_by(asyncio.get_running_loop(), host, port))

    def refuse(self, method: str, url: URL, frame: FrameType | None) -> UnknownHost:
        """What to raise for a request to a host that nobody knows. It is remembered, should somebody catch it."""
        origin = origin_of(url)
        what = f"{method} {url.origin()}{url.raw_path}"
        self.refused.append(what)
        served = [host.url for host in self._hosts.values()]
        close = difflib.get_close_matches(str(origin), served, n=1)
        known = f"did you mean {close[0]}? Served are" if close else "served are"
        told = f"{known}: {', '.join(served) or 'no hosts at all'}"
        fix = f"network.serve({str(origin)!r}, app), or network.allow({origin.host!r}) to really go there"
        cause = f"{what}: nothing is served there; {told}"
        stubs.tell(stubs.Mismatch(f"request to unknown host {origin}", user_site(frame), cause, fix))
        return UnknownHost(f"unknown host {origin}\n{cause}\nwrite {fix}")
