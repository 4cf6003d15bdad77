"""The line store's contract, played to the disk and to the stand-in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio

from file_handler import AsyncFileHandler
from shared_testing.contracts.line_store_suite import LineStoreContract, LineStoreUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest

    from shared_testing import FileBuilders

    RunSuite = Callable[..., pytest.RunResult]


def on_disk(_: FileBuilders) -> Any:
    return AsyncFileHandler(durable=False)


def durable(_: FileBuilders) -> Any:
    return AsyncFileHandler()


def in_memory(files: FileBuilders) -> Any:
    return files.in_memory()


class TestLineStore(LineStoreContract):
    @pytest_asyncio.fixture(params=[on_disk, durable, in_memory], ids=lambda make: make.__name__)
    async def line_store(
        self, request: pytest.FixtureRequest, files: FileBuilders
    ) -> AsyncIterator[LineStoreUnderTest]:
        async with request.param(files) as store:
            yield LineStoreUnderTest(store, files.folder / "lines.txt", files.folder / "others.txt")


def test_a_strangers_store_is_held_to_it_by_one_fixture(run_suite: RunSuite) -> None:
    """A dict of lists does what it can, and is found out where it cannot."""
    result = run_suite(
        """
        import pytest
        from shared_testing.contracts.line_store_suite import LineStoreContract, LineStoreUnderTest

        class MyStore:
            def __init__(self):
                self.lines = {}

            async def read_lines(self, path):
                return [line async for line in self.iter_lines(path)]

            async def iter_lines(self, path):
                if path not in self.lines:
                    raise FileNotFoundError(path)
                for line in self.lines[path]:
                    yield line

            async def write_lines(self, path, lines):
                self.lines[path] = list(lines)

            async def write_stream(self, path, lines):
                self.lines[path] = list(lines) if isinstance(lines, list) else [line async for line in lines]
                return len(self.lines[path])

            async def append_lines(self, path, lines):
                self.lines.setdefault(path, []).extend(lines)

            async def close(self):
                pass

        class TestMyStore(LineStoreContract):
            @pytest.fixture
            def line_store(self):
                return LineStoreUnderTest(MyStore(), "a", "b")
        """
    )
    failed = [line.split()[1].rpartition("::")[2] for line in result.outlines if line.startswith("FAILED")]
    assert failed == [
        "test_what_is_no_line_is_refused",
        "test_writers_take_turns",
        "test_what_is_being_read_stays_as_it_was",
        "test_a_closed_store_refuses",
    ]
