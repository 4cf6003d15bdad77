"""What the tests share: pytest as on a desk, and a stage on which behaviour in memory is compared to TCP's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from shared_testing.http import Network
from shared_testing.http.fault_plan import FaultPlan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from typing import IO

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# They stand in the environment for the tests that ask for them by name. Hypothesis alone takes a second to import.
_STRANGERS = ("hypothesispytest", "randomly", "timeout", "xdist", "xdist.looponfail")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A run of pytest inside takes a tenth of a second and more: together they are half of this suite's time."""
    for item in items:
        if "pytester" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def as_on_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest and the plugin print more where they take themselves to be on a CI machine: here text is compared."""
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)


_WITHOUT_STRANGERS = " ".join(f"-p no:{name}" for name in _STRANGERS)
_PYTEST = (sys.executable, "-mpytest")


class ForkedRun:
    """A run of pytest in a process of its own, as much of a Popen as pytester asks for."""

    stdin = None

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def wait(self, timeout: float | None = None) -> int:
        self._control.settimeout(timeout)
        try:
            return int(self._control.recv(100))
        except TimeoutError:
            raise subprocess.TimeoutExpired(_PYTEST, timeout or 0) from None
        finally:
            self._control.settimeout(None)

    def kill(self) -> None:
        self._control.send(b"k")


class ForkServer:
    """Starts pytest without importing it anew: see fork_server.py."""

    def __init__(self) -> None:
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._startup = self._read_at_startup()
        # Not as a file: below a test there is to be no line that could be taken for its user's.
        program = Path(__file__).with_name("fork_server.py").read_text("utf-8")
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, str(other.fileno())],
                env={**os.environ, "PYTEST_ADDOPTS": _WITHOUT_STRANGERS},
                pass_fds=[other.fileno()],
                stdin=subprocess.PIPE,
            )
        if self._process.stdin is not None:
            self._process.stdin.close()

    def close(self) -> None:
        self._control.close()
        self._process.wait()

    def popen(self, arguments: Sequence[str], stdout: IO[str], stderr: IO[str]) -> ForkedRun | None:
        """None if it cannot be done this way."""
        if tuple(arguments[:2]) != _PYTEST or self._startup != self._read_at_startup():
            return None
        folder = str(Path.cwd())
        paths = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": paths}
        run = {"arguments": arguments[2:], "folder": folder, "environment": environment}
        socket.send_fds(self._control, [json.dumps(run).encode()], [stdout.fileno(), stderr.fileno()])
        return ForkedRun(self._control)

    def _read_at_startup(self) -> dict[str, str]:
        """What Python reads once, when it starts."""
        return {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer | None]:
    """None where processes are not forked so: on macOS, whose libraries may not survive it, and on Windows."""
    server = ForkServer() if hasattr(os, "pidfd_open") else None
    yield server
    if server is not None:
        server.close()


@pytest.fixture
def pytester(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, fork_server: ForkServer | None
) -> pytest.Pytester:
    """Runs pytest without the plugins of strangers, unless the test names one with ``-p``.

    No run keeps bytecode: a test that writes its file twice in a second, in the same length, would get the first one's.
    """
    monkeypatch.setenv("PYTEST_ADDOPTS", _WITHOUT_STRANGERS)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    popen = pytester.popen

    def fork_or_start(arguments: Sequence[str], stdout: Any, stderr: Any, **others: Any) -> Any:
        if fork_server is not None and (run := fork_server.popen(arguments, stdout, stderr)) is not None:
            return run
        with monkeypatch.context() as patched:
            patched.setenv("PYTHONDONTWRITEBYTECODE", "1")
            return popen(arguments, stdout, stderr, **others)

    monkeypatch.setattr(pytester, "popen", fork_or_start)
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
