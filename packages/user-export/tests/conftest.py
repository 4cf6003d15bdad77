from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from file_handler import AsyncFileHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture
async def handler() -> AsyncIterator[AsyncFileHandler]:
    async with AsyncFileHandler() as handler:
        yield handler


class Command:
    """`user-export`, as its users start it: in a process of its own."""

    async def start(
        self, *arguments: object, module: str = "user_export", **options: Any
    ) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, **options)

    async def run(self, *arguments: object, **options: Any) -> tuple[int, str, str]:
        """Run it to its end: exit code, stdout, stderr."""
        process = await self.start(*arguments, **options)
        printed, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, printed.decode(), errors.decode()


@pytest.fixture
def command() -> Command:
    return Command()
