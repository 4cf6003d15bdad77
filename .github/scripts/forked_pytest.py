"""Run pytest again and again in one folder, each time in a fresh process, without importing the world each time.

A server that has imported what others wrote, and nothing of ours, forks for each run: the sources of the folder are
read anew. Half a second is saved per run, which is more than most of our tests take.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _pytest.config import default_plugins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

# What takes long to import. None of it is changed by who imports it, or when.
STRANGERS = ("pytest_asyncio.plugin", "hypothesis.stateful", "aiohttp.web", "aiohttp.test_utils", "aiofiles")

# What the tests do not need, and what takes long to import. The strangers' own asserts need no rewriting.
_OPTIONS = ("-pno:cacheprovider", "-pno:xdist", "-pno:timeout", "-Wignore::pytest.PytestAssertRewriteWarning")


class ForkedPytest:
    """``run(tests)`` gives pytest's exit code, and what was said of the first failure; -1 if it has hung."""

    def __init__(
        self,
        folder: Path,
        sources: Sequence[Path],
        patience: float,
        preload: Sequence[str] = STRANGERS,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        # The folder's sources come before the installed ones.
        environment = {**environment, "PYTHONPATH": os.pathsep.join(map(str, sources))}
        # Bytecode of what does not change halves the time.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(patience), *preload],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Tests that run are ended."""
        self._server.terminate()
        self._server.communicate()

    def run(self, tests: Sequence[str]) -> tuple[int, str]:
        code, printed = self._ask({"arguments": ["-x", "-q", "--no-header", "--tb=line", *tests]})
        if code == -1:
            return -1, "it hung"
        failures = [line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return code, failures[0] if failures else printed.strip().rpartition("\n")[2]

    def printed(self, arguments: Sequence[str], folder: Path) -> tuple[int, str]:
        """pytest's exit code and all that it prints in that folder, at Python's own end too."""
        return self._ask({"arguments": arguments, "folder": str(folder)})

    def _ask(self, request: dict[str, object]) -> tuple[int, str]:
        ask, answer = self._server.stdin, self._server.stdout
        if ask is None or answer is None:
            raise TypeError("the server was started without pipes")
        ask.write(json.dumps(request) + "\n")
        ask.flush()
        code, printed = json.loads(answer.readline())
        return int(code), str(printed)


def serve(patience: float, *preload: str) -> None:
    """Answer each line of standard input: arguments for pytest, and a folder if its whole output is asked for."""
    for module in (*(f"_pytest.{name}" for name in default_plugins), *preload):
        __import__(module)
    # What is here now is nobody's garbage: pytest collects five times at its end.
    gc.freeze()
    printed = Path(f".forked-pytest-{os.getpid()}").absolute()
    running: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: _end(running))
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run(**json.loads(line), printed=printed)
        running[:] = [child]
        ended = os.pidfd_open(child)
        hung = not select.select([ended], [], [], patience)[0]
        os.close(ended)
        # With what the tests have left behind.
        _kill(child)
        status = os.waitpid(child, 0)[1]
        running.clear()
        answer = [-1 if hung else os.waitstatus_to_exitcode(status), printed.read_text("utf-8", "replace")]
        print(json.dumps(answer), flush=True)


def _run(arguments: list[str], printed: Path, folder: str | None = None) -> None:
    """In the child: never returns."""
    code = 3
    if folder is not None:
        os.chdir(folder)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        output = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        import pytest

        code = int(pytest.main([*_OPTIONS, *arguments]))
        sys.stdout.flush()
    finally:
        # Neither threads nor exit handlers that the tests have left behind can keep it.
        if folder is None:
            os._exit(code)
    sys.exit(code)


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def _end(running: list[int]) -> None:
    for child in running:
        _kill(child)
    os._exit(0)


if __name__ == "__main__":
    serve(float(sys.argv[1]), *sys.argv[2:])
