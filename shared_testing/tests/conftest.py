"""What the tests share: pytest as on a desk, and a stage on which behaviour in memory is compared to TCP's."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from shared_testing.http import Network
from shared_testing.http.fault_plan import FaultPlan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# They stand in the environment for the tests that ask for them by name. Hypothesis alone takes a second to import.
_STRANGERS = ("hypothesispytest", "randomly", "timeout", "xdist", "xdist.looponfail")


@pytest.fixture(autouse=True)
def as_on_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest and the plugin print more where they take themselves to be on a CI machine: here text is compared."""
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Runs pytest without the plugins of strangers, unless the test names one with ``-p``."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in _STRANGERS))
    return pytester


class Served(Protocol):
    @property
    def url(self) -> str: ...

    def fault(self, name: Any, *, times: int | None = 1, path: str | None = None, seconds: float = 1.0) -> object: ...


class Stage(Protocol):
    """Where an application is served."""

    async def serve(self, what: Handler | web.Application, **options: Any) -> Served: ...


def application(what: Handler | web.Application) -> web.Application:
    """An application, or one that answers everything by that handler."""
    if isinstance(what, web.Application):
        return what
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", what)
    return app


class Memory:
    def __init__(self, network: Network) -> None:
        self.network = network

    async def serve(self, what: Handler | web.Application, **options: Any) -> Served:
        return self.network.serve(f"http://api{len(self.network._hosts) or ''}.test", application(what), **options)


class TcpServer:
    """The same faults, in front of a server with a socket."""

    def __init__(self, what: Handler | web.Application, options: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
        self.runner = web.AppRunner(application(what), access_log=None, shutdown_timeout=0.001, **options)
        self.plan = FaultPlan()
        self.patch = patch
        self.port = 0

    async def start(self) -> None:
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = self.runner.addresses[0][1]
        server: Any = self.runner.server
        original = server.request_handler

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self.plan.answer(request, original)

        server.request_handler = handle

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def fault(self, name: Any, *, times: int | None = 1, path: str | None = None, seconds: float = 1.0) -> None:
        if name == "refused":
            for site in list(self.runner.sites):
                site._server.close()  # type: ignore[union-attr]
        elif name == "dns_failure":
            self.patch.setattr(aiohttp.ThreadedResolver, "resolve", _unknown_name)
        else:
            self.plan.add(name, times, path, seconds)


async def _unknown_name(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


class Tcp:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.servers: list[TcpServer] = []
        self.patch = patch

    async def serve(self, what: Handler | web.Application, **options: Any) -> Served:
        server = TcpServer(what, options, self.patch)
        self.servers.append(server)
        await server.start()
        return server


@pytest_asyncio.fixture(params=["memory", "tcp"])
async def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """In memory, and on a real loopback server: a behaviour that is played on both must be the same."""
    if request.param == "memory":
        async with Network() as network:
            yield Memory(network)
        return
    tcp = Tcp(monkeypatch)
    yield tcp
    for server in tcp.servers:
        await server.runner.cleanup()
