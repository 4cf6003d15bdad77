"""What the tests of this package share: a handler, a place to stop a thread at, and processes to kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from file_handler import AsyncFileHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

# A bound for what a broken version would never finish; nothing that works comes near it.
LIMIT = 30


class Gate:
    """Stands in for a function: the first call waits in its thread until the gate is opened."""

    def __init__(self, call: Callable[..., Any], wanted: Callable[..., bool]) -> None:
        self._call = call
        self._wanted = wanted
        self._reached: Future[None] = Future()
        self._opened = threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._wanted(*args) and not self._reached.done():
            self._reached.set_result(None)
            self._opened.wait(LIMIT)
        return self._call(*args, **kwargs)

    async def reached(self) -> None:
        await asyncio.wrap_future(self._reached)

    @property
    def was_reached(self) -> bool:
        return self._reached.done()

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Gate]]:
    """``gate_at("fsync")`` holds up the first thread that calls ``os.fsync``."""
    gates: list[Gate] = []

    def place(name: str, wanted: Callable[..., bool] = lambda *_: True) -> Gate:
        gate = Gate(getattr(os, name), wanted)
        gates.append(gate)
        monkeypatch.setattr(os, name, gate)
        return gate

    yield place
    for gate in gates:
        gate.open()


@pytest_asyncio.fixture
async def handler() -> AsyncIterator[AsyncFileHandler]:
    async with AsyncFileHandler() as handler:
        yield handler


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The only file in its folder."""
    path = tmp_path / "lines.txt"
    path.write_text("old\n")
    return path


@pytest.fixture
def names() -> Callable[[Path], list[str]]:
    """``names(folder)``: what stands in it, hidden files included."""
    return lambda folder: sorted(path.name for path in folder.iterdir())


@pytest.fixture
def open_descriptors() -> Callable[[], int]:
    return lambda: len(list(Path("/proc/self/fd").iterdir()))


_PREAMBLE = """
import asyncio, os, signal, sys
from file_handler import AsyncFileHandler

def stop_at(name, count=1):
    '''Say so and wait for the end at the count-th call of os.<name>.'''
    real, calls = getattr(os, name), 0
    def stopping(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == count:
            os.write(1, b"here\\n") if name != "write" else real(1, b"here\\n")
            signal.pause()
        return real(*args, **kwargs)
    setattr(os, name, stopping)

path = sys.argv[1]
"""


class Child:
    """A Python process that runs a script of ours."""

    def __init__(self, script: str, path: Path, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PREAMBLE + script, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )

    def wait_for_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=LIMIT)

    def finish(self) -> str:
        """What it printed. Raises if it does not end, or ends badly."""
        out, err = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 0, err
        return out


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(script: str, path: Path, env: dict[str, str] | None = None) -> Child:
        children.append(Child(script, path, env))
        return children[-1]

    yield start
    for one in children:
        if one.process.poll() is None:
            one.kill()
