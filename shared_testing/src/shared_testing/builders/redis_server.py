"""A real Redis or Valkey of the tests' own, and what goes wrong with one: it stands still, dies, comes back.

It listens on a free port of this machine and keeps its files in a folder of its own. It is spoken to in Redis' own
words on a bare socket, so that nobody needs a client library for it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

PROGRAMS = ("redis-server", "valkey-server")

# Seconds in which a server has come up, or gone, on any machine.
_PATIENCE = 30.0
_ATTEMPTS = 5


def find_program() -> str | None:
    """The server that is installed here, if there is one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class ServerNotStarted(RuntimeError):
    """There is no server program here, or it ended before it answered."""


class RedisServer:
    """A server process. `with` starts and stops it.

    One that is `durable` writes each change to its disk before it answers: what it has said to have survives a kill.
    """

    def __init__(self, program: str | None = None, *, durable: bool = False) -> None:
        self._program = program or find_program()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = ExitStack()
        self._folder = Path()
        self.port = 0
        """The same for as long as it lives, through kills and restarts."""

    def __repr__(self) -> str:
        return f"<RedisServer: {self.url}, {'up' if self._process else 'down'}>"

    def __enter__(self) -> Self:
        self._folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="redis-")))
        self._closing.callback(self._stop)
        try:
            self._start()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    # ------------------------------------------------------------ what goes wrong

    def pause(self) -> None:
        """It keeps its connections, takes new ones, and answers nothing."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it was."""
        self._running().send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """End it at once, as a crash does. Its connections are cut, and new ones refused."""
        process, self._process = self._running(), None
        process.kill()
        await asyncio.to_thread(process.wait)

    async def restart(self) -> None:
        """Start it again on the same port, with what was on its disk; kill it first if it still runs."""
        if self._process is not None:
            await self.kill()
        await asyncio.to_thread(self._start)

    # ------------------------------------------------------------ spoken to

    async def command(self, *words: str) -> str:
        """Send one command; the first line of its answer, such as ``"+OK"``."""
        return await asyncio.to_thread(self._ask, *words)

    def flush(self) -> None:
        """Forget all data. It blocks: call it where no event loop runs."""
        answer = self._ask("FLUSHALL")
        if answer != "+OK":
            raise RuntimeError(f"{self!r} was not emptied: it says {answer!r}")

    # ------------------------------------------------------------ inside

    @property
    def _up(self) -> Path:
        return self._folder / "up"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self!r} does not run: restart() it")
        return self._process

    def _start(self) -> None:
        wanted = self.port
        for _ in range(_ATTEMPTS):
            # Between the search and the start somebody else may take a port that was free.
            self.port = wanted or _free_port()
            self._process = self._launch()
            if self._comes_up(self._process):
                return
            self._process = None
        log = (self._folder / "log").read_text("utf-8", "replace")
        raise ServerNotStarted(f"{self._program} does not come up on port {self.port}:\n{log[-2000:]}")

    def _launch(self) -> subprocess.Popen[bytes]:
        if self._program is None:
            raise ServerNotStarted(f"none of {', '.join(PROGRAMS)} is installed: apt-get install redis-server")
        durable = ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else ["--appendonly", "no"]
        own = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder), "--save", ""]
        # How often in a second it looks whether it is to end: ten times, unless it is told.
        own += ["--hz", "100"]
        # It is made when the port is taken, and only then: whoever answers there before is a stranger. One that was
        # killed has left its own behind.
        self._up.unlink(missing_ok=True)
        own += ["--unixsocket", self._up.name]
        with (self._folder / "log").open("ab") as log:
            # A group of its own: Ctrl-C in the terminal is for pytest, which ends the server after its last user.
            return subprocess.Popen(  # noqa: S603
                [self._program, *own, *durable, "--daemonize", "no"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self._folder,
            )  # fmt: skip

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        for _ in range(int(_PATIENCE / 0.02)):
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                if self._up.exists() and self._answers():
                    return True
            else:
                return False
        process.kill()
        process.wait()
        return False

    def _answers(self) -> bool:
        try:
            return not self._ask("PING").startswith("-LOADING")
        except OSError:
            return False

    def _ask(self, *words: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), _PATIENCE) as connection:
            connection.sendall(_encoded(words))
            with connection.makefile("rb") as answer:
                return answer.readline().decode().strip()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # One that stands still hears nothing else.
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _encoded(words: tuple[str, ...]) -> bytes:
    parts = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
    return b"*%d\r\n%s" % (len(words), b"".join(parts))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
