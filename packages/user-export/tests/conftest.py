from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from file_handler import AsyncFileHandler

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    from shared_testing.builders.processes import Processes


@pytest_asyncio.fixture
async def handler() -> AsyncIterator[AsyncFileHandler]:
    async with AsyncFileHandler() as handler:
        yield handler


class Command:
    """`user-export`, as its users start it: in a process of its own."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    async def start(self, *arguments: object, module: str = "user_export", **options: Any) -> Process:
        return await self._processes.start("python", "-m", module, *arguments, **options)

    async def run(self, *arguments: object, **options: Any) -> tuple[int, str, str]:
        """Run it to its end: exit code, stdout, stderr."""
        process = await self.start(*arguments, **options)
        printed, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, printed.decode(), errors.decode()


@pytest.fixture
def command(processes: Processes) -> Command:
    return Command(processes)
