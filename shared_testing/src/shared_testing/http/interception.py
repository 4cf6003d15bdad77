"""Lead aiohttp's own connector into the networks that are entered.

All that a connector does stays aiohttp's: its pool, limits, name cache, traces, timeouts, errors, proxies. Replaced
are the two places where it would leave the process: the question to a name server, and the socket. They are the same
from aiohttp 3.11 to 3.14; an aiohttp without them says so when a network is entered.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

from aiohttp import ClientConnectorError, TCPConnector, __version__
from aiohttp.helpers import ceil_timeout
from aiohttp.resolver import AsyncResolver, ThreadedResolver

from shared_testing.patches import Patches

if TYPE_CHECKING:
    from shared_testing.http.network import Network
    from shared_testing.http.served_host import ServedHost

_entered: list[Network] = []
_patches = Patches()


def begin(network: Network) -> None:
    if not _entered:
        try:
            _intercept()
        except AttributeError as error:
            _patches.undo()
            raise RuntimeError(
                f"shared_testing.http does not know how aiohttp {__version__} connects: {error}"
            ) from error
    _entered.append(network)


def end(network: Network) -> None:
    _entered.remove(network)
    if not _entered:
        _patches.undo()


def _intercept() -> None:
    _intercept_names(ThreadedResolver)
    _intercept_names(AsyncResolver)
    _intercept_requests()
    _intercept_sockets()


def _route(req: Any) -> ServedHost | None:
    """The host of a request, by the network that was entered last; None for one that is let out."""
    __tracebackhide__ = True
    for network in reversed(_entered):
        if (host := network.route(req.url)) is not None:
            return host
    if any(network.lets_out(req.url) for network in _entered):
        return None
    raise _entered[-1].refuse(req.method, req.url, sys._getframe(1))


def _intercept_requests() -> None:
    original = TCPConnector._create_direct_connection

    async def create_direct_connection(connector: TCPConnector, req: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        # On the stack of the request, and before anybody is asked for its name.
        host = _route(req)
        if host is not None:
            await host.start()
        return await original(connector, req, *args, **kwargs)

    _patches.set(TCPConnector, "_create_direct_connection", create_direct_connection)


def _intercept_names(resolver: type[Any]) -> None:
    original = resolver.resolve

    async def resolve(self: Any, host: str, port: int = 0, family: int = socket.AF_INET) -> Any:
        for network in reversed(_entered):
            if (served := network.find(host, port)) is not None:
                return [{"hostname": host, "port": port, "proto": 0, "flags": 0, **served.resolve(family)}]
        return await original(self, host, port, family)

    _patches.set(resolver, "resolve", resolve)


def _intercept_sockets() -> None:
    original = TCPConnector._wrap_create_connection

    async def wrap_create_connection(
        connector: TCPConnector,
        factory: Any,
        *args: Any,
        req: Any,
        timeout: Any,
        client_error: Any = ClientConnectorError,
        **kwargs: Any,
    ) -> Any:
        host = _route(req)
        if host is None:
            return await original(
                connector, factory, *args, req=req, timeout=timeout, client_error=client_error, **kwargs
            )
        protocol = factory()
        try:
            async with ceil_timeout(timeout.sock_connect, ceil_threshold=timeout.ceil_threshold):
                return await host.connect(protocol, kwargs.get("ssl")), protocol
        except TimeoutError:
            raise
        except OSError as error:
            raise client_error(req.connection_key, error) from error

    _patches.set(TCPConnector, "_wrap_create_connection", wrap_create_connection)
