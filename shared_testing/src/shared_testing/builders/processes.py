"""Processes of a test: workers to be killed in the midst of their work."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType


class Processes:
    """``worker = await processes.start("python", "-m", "my_worker")``; what still runs at the end of the test is
    killed, and waited for.

    What comes back is asyncio's own: ``worker.kill()`` is kill -9, ``worker.terminate()`` a SIGTERM, and ``printed,
    errors = await worker.communicate()`` waits for its end.
    """

    def __init__(self) -> None:
        self._started: list[Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
        for process in self._started:
            # Also of one that has ended: its pipes are closed when they are read to their ends.
            await process.communicate()

    async def start(self, program: object, /, *arguments: object, **options: Any) -> Process:
        """Start a program; "python" is the interpreter that runs the test. `options` as for
        ``asyncio.create_subprocess_exec()``; output goes to pipes, and there is no input, unless they say otherwise.

        Raises OSError if there is no such program.
        """
        executable = sys.executable if program == "python" else str(program)
        streams = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE}
        process = await asyncio.create_subprocess_exec(executable, *map(str, arguments), **(streams | options))
        self._started.append(process)
        return process
