"""One host of the network: an application, and what goes wrong on the way to it."""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
import sys
from typing import TYPE_CHECKING, Any, Self

from shared_testing.evidence import stubs
from shared_testing.findings.site import user_site
from shared_testing.http.backend import INTERCEPT
from shared_testing.http.fault_plan import CONNECTION_FAULTS, FaultPlan
from shared_testing.http.transport import MemoryTransport, join

if TYPE_CHECKING:
    from shared_testing.http.backend import Backend
    from shared_testing.http.faults import ConnectionFault, RequestFault
    from shared_testing.http.origin import Origin

# Where a kernel takes the ports of its clients from.
_EPHEMERAL = itertools.count(49152)


class ServedHost:
    """What ``network.serve()`` returns."""

    def __init__(self, origin: Origin, backend: Backend) -> None:
        self.origin = origin
        self.connections = 0
        """How many connections were accepted."""
        self._backend = backend
        self._is_shut = False
        self._faults = FaultPlan()

    def __repr__(self) -> str:
        return f"<ServedHost {self.origin}>"

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return str(self.origin)

    def fault(
        self,
        name: ConnectionFault | RequestFault,
        *,
        times: int | None = 1,
        path: str | None = None,
        seconds: float = 1.0,
    ) -> Self:
        """Let the next `times` requests to this host meet that fault; None is for every one from now on.

        `path`: only requests to that path. `seconds`: how long ``latency``, ``slow_headers`` and ``trickle`` take in
        all, and what ``rate_limited`` gives as Retry-After. ``refused``, ``dns_failure`` and ``unreachable`` are met
        by attempts to connect: idle connections are closed, so that the next request makes one. Faults that stand
        when the test ends, and that nothing met, are reported (AT602).

        Note that aiohttp's client by itself sends an idempotent request once more when its connection dies before
        the headers: such a call meets two of those faults.
        """
        if name == "dns_failure" and _is_address(self.origin.host):
            raise ValueError(f"fault('dns_failure') at {self.origin}: an address is not looked up")
        self._faults.add(name, times, path, seconds, user_site(sys._getframe(1)))
        if name in CONNECTION_FAULTS:
            self._backend.close_idle(self._faults.answer)
        return self

    def unused(self) -> list[str]:
        """The faults that nothing has met, in words."""
        return [str(fault) for fault in self._faults.unused()]

    def forget_faults(self) -> None:
        """Drop the faults that are still to come."""
        self._faults.clear()

    def tell_unused(self) -> None:
        for fault in self._faults.unused():
            where = f"at {self.origin}{fault.path or ''}"
            cause = f"no request {where} met it" if not fault.used else f"fewer requests {where} met it than it says"
            symptom = f"fault {fault} was never used" if not fault.used else f"fault {fault} was left over"
            fix = "make the request that meets it, or remove it"
            stubs.tell(stubs.Mismatch(symptom, fault.site, cause, fix, unused=True))

    def shut(self) -> None:
        """Accept no more connections, as a server that ends."""
        self._is_shut = True

    # ------------------------------------------------------------ what a connector asks

    def resolve(self, family: int) -> dict[str, Any]:
        """What the name server answers."""
        if self._faults.take_connection_fault("dns_failure"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        six = family == socket.AF_INET6
        return {"host": "::1" if six else "127.0.0.1", "family": socket.AF_INET6 if six else socket.AF_INET}

    async def connect(self, client: asyncio.Protocol, tls: object) -> MemoryTransport:
        """Connect that protocol. `tls`: the client's context, for servers that ask whether there is one."""
        address = ("127.0.0.1", self.origin.port)
        fault = self._faults.take_connection_fault("refused", "unreachable")
        if self._is_shut or fault == "refused":
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed {address}")
        if fault == "unreachable":
            await asyncio.get_running_loop().create_future()
        return await self._open(client, ("127.0.0.1", next(_EPHEMERAL)), address, tls)

    async def start(self) -> None:
        if not self._is_shut:
            await self._backend.start()

    async def _open(
        self, client: asyncio.Protocol, here: tuple[str, int], there: tuple[str, int], tls: object
    ) -> MemoryTransport:
        loop = asyncio.get_running_loop()
        ours = MemoryTransport(loop, client, {"peername": there, "sockname": here})
        extra = {"peername": here, "sockname": there, "sslcontext": tls, INTERCEPT: self._faults.answer}
        theirs = self._backend.accept(loop, extra)
        join(ours, theirs)
        self.connections += 1
        ours.start()
        theirs.start()
        connected = loop.create_future()
        # Under exploration the handshake may be late, as on a network.
        getattr(loop, "arrives_soon", loop.call_soon)(_wake, connected)
        try:
            await connected
        except BaseException:
            ours.abort()
            raise
        return ours


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
