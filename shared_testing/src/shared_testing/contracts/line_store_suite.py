"""A line store's promises as tests, for whoever keeps lines of text under names: on a disk, in memory, elsewhere.

One fixture, and they run::

    class TestMyStore(LineStoreContract):
        @pytest_asyncio.fixture
        async def line_store(self, tmp_path):
            async with MyStore() as store:
                yield LineStoreUnderTest(store, tmp_path / "lines.txt", tmp_path / "others.txt")

In strict mode the class needs ``@pytest.mark.asyncio``.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

# What str.splitlines, strip() or a reader's universal newlines would lose, cut or change.
_AWKWARD = ["\ufeffbegin", "", " a\t ", "é 漢 🙂", "\x00", "a\x0b\x0c\x1c\x85\u2028\u2029b", "ends in \r", "\r\r", ""]

_OLD = ["old", "lines"]


class LineStore(Protocol):
    r"""What the contract asks of a store. A line is a ``str`` without ``\n``; a path is whatever the store takes."""

    async def read_lines(self, path: Any, /) -> list[str]: ...
    def iter_lines(self, path: Any, /) -> AsyncGenerator[str, None]: ...
    async def write_lines(self, path: Any, lines: Iterable[str], /) -> None: ...
    async def write_stream(self, path: Any, lines: Any, /) -> int: ...
    async def append_lines(self, path: Any, lines: Iterable[str], /) -> None: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LineStoreUnderTest:
    """A store, and two paths at which nothing is."""

    store: Any
    """A :class:`LineStore`."""
    path: Any
    other: Any

    async def lines(self) -> list[str] | None:
        """What is at `path`; None for nothing."""
        try:
            return list(await self.store.read_lines(self.path))
        except FileNotFoundError:
            return None


class LineStoreContract:
    """Play it to a store by a fixture `line_store`."""

    # ------------------------------------------------------------ what is written comes back

    async def test_lines_come_back_as_they_were(self, line_store: LineStoreUnderTest) -> None:
        for lines in (_AWKWARD, [""], ["a"], []):
            await line_store.store.write_lines(line_store.path, lines)
            assert await line_store.lines() == lines

    async def test_many_lines_come_back(self, line_store: LineStoreUnderTest) -> None:
        """More than fit into any buffer."""
        lines = [f"{number} {'x' * (number % 97)}" for number in range(20_000)]
        await line_store.store.write_lines(line_store.path, lines)
        assert await line_store.lines() == lines
        assert [line async for line in line_store.store.iter_lines(line_store.path)] == lines

    async def test_a_write_replaces_all(self, line_store: LineStoreUnderTest) -> None:
        await line_store.store.write_lines(line_store.path, _OLD)
        await line_store.store.write_lines(line_store.path, iter(["new"]))
        assert await line_store.lines() == ["new"]

    async def test_an_append_adds(self, line_store: LineStoreUnderTest) -> None:
        """To nothing as well; no lines change nothing."""
        await line_store.store.append_lines(line_store.path, ["a"])
        await line_store.store.append_lines(line_store.path, [])
        await line_store.store.append_lines(line_store.path, _AWKWARD)
        assert await line_store.lines() == ["a", *_AWKWARD]

    async def test_lines_may_come_from_a_stream(self, line_store: LineStoreUnderTest) -> None:
        """The number of them is told."""

        async def source() -> AsyncIterator[str]:
            for line in _AWKWARD:
                await asyncio.sleep(0)
                yield line

        assert await line_store.store.write_stream(line_store.path, source()) == len(_AWKWARD)
        assert await line_store.lines() == _AWKWARD
        assert await line_store.store.write_stream(line_store.path, ["plain"]) == 1
        assert await line_store.lines() == ["plain"]

    async def test_paths_are_apart(self, line_store: LineStoreUnderTest) -> None:
        await line_store.store.write_lines(line_store.path, ["here"])
        await line_store.store.write_lines(line_store.other, ["there"])
        assert await line_store.lines() == ["here"]

    async def test_where_nothing_is_nothing_can_be_read(self, line_store: LineStoreUnderTest) -> None:
        with pytest.raises(FileNotFoundError):
            await line_store.store.read_lines(line_store.path)
        with pytest.raises(FileNotFoundError):
            await anext(line_store.store.iter_lines(line_store.path))

    # ------------------------------------------------------------ all or nothing

    async def test_what_is_no_line_is_refused(self, line_store: LineStoreUnderTest) -> None:
        """With all the lines beside it, and what was there stays."""
        unfit: list[tuple[Any, type[Exception]]] = [
            (["good", "two\nlines"], ValueError),
            (["good", "lone \ud800 surrogate"], ValueError),
            (["good", b"bytes"], TypeError),
            (["good", ["nested"]], TypeError),
            ("a string", TypeError),
        ]
        await line_store.store.write_lines(line_store.path, _OLD)
        for lines, error in unfit:
            for write in (line_store.store.write_lines, line_store.store.append_lines, line_store.store.write_stream):
                with pytest.raises(error):
                    await write(line_store.path, lines)
        assert await line_store.lines() == _OLD

    async def test_a_source_that_fails_leaves_what_was_there(self, line_store: LineStoreUnderTest) -> None:
        async def source() -> AsyncIterator[str]:
            yield "new"
            raise LookupError("the source is broken")

        def plain() -> Iterator[str]:
            yield "new"
            raise LookupError("the source is broken")

        store, path = line_store.store, line_store.path
        await store.write_lines(path, _OLD)
        for write in (store.write_stream(path, source()), store.write_lines(path, plain())):
            with pytest.raises(LookupError, match="the source is broken"):
                await write
            assert await line_store.lines() == _OLD

    async def test_a_stream_that_is_cancelled_leaves_what_was_there(self, line_store: LineStoreUnderTest) -> None:
        """Nobody sees its beginning before its end has come."""
        reached = asyncio.Event()

        async def source() -> AsyncIterator[str]:
            yield "new"
            reached.set()
            await asyncio.get_running_loop().create_future()

        await line_store.store.write_lines(line_store.path, _OLD)
        writing = asyncio.create_task(line_store.store.write_stream(line_store.path, source()))
        await reached.wait()
        assert await line_store.lines() == _OLD
        writing.cancel()
        await asyncio.wait([writing])
        assert writing.cancelled()
        assert await line_store.lines() == _OLD

    async def test_a_cancelled_append_is_whole_or_not_there(self, line_store: LineStoreUnderTest) -> None:
        """Wherever it is cancelled; one that has returned is there."""
        batches = [[f"{turns} a", f"{turns} b"] for turns in range(12)]
        returned: list[str] = []
        await line_store.store.write_lines(line_store.path, [])
        for turns, batch in enumerate(batches):
            writing = asyncio.create_task(line_store.store.append_lines(line_store.path, batch))
            for _ in range(turns):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])
            returned += batch if not writing.cancelled() else []
        there = await line_store.lines() or []
        assert set(returned) <= set(there)
        assert there == [line for batch in batches if batch[0] in there for line in batch]

    async def test_a_cancelled_write_is_whole_or_not_there(self, line_store: LineStoreUnderTest) -> None:
        """The old lines or the new ones, and no others."""
        await line_store.store.write_lines(line_store.path, _OLD)
        before: list[str] | None = _OLD
        for turns in range(12):
            new = ["new", str(turns)]
            writing = asyncio.create_task(line_store.store.write_lines(line_store.path, new))
            for _ in range(turns):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])
            after = await line_store.lines()
            assert after == new or (writing.cancelled() and after == before)
            before = after

    # ------------------------------------------------------------ at once

    async def test_appends_at_once_stay_whole_and_in_order(self, line_store: LineStoreUnderTest) -> None:
        batches = [[f"{number} {part}" for part in range(5)] for number in range(20)]
        await asyncio.gather(*(line_store.store.append_lines(line_store.path, batch) for batch in batches))
        assert await line_store.lines() == [line for batch in batches for line in batch]

    async def test_writers_take_turns(self, line_store: LineStoreUnderTest) -> None:
        """What is added while a stream is being written comes after it."""
        reached, released = asyncio.Event(), asyncio.Event()

        async def source() -> AsyncIterator[str]:
            yield "first"
            reached.set()
            await released.wait()

        writing = asyncio.create_task(line_store.store.write_stream(line_store.path, source()))
        await reached.wait()
        adding = asyncio.create_task(line_store.store.append_lines(line_store.path, ["second"]))
        for _ in range(5):
            await asyncio.sleep(0)
        released.set()
        await asyncio.gather(writing, adding)
        assert await line_store.lines() == ["first", "second"]

    async def test_a_reader_sees_whole_contents(self, line_store: LineStoreUnderTest) -> None:
        """However many write meanwhile."""
        contents = [[f"{number}"] * 50 for number in range(6)]
        await line_store.store.write_lines(line_store.path, contents[0])
        writing = asyncio.gather(*(line_store.store.write_lines(line_store.path, each) for each in contents))
        while not writing.done():
            assert await line_store.lines() in contents
            await asyncio.sleep(0)
        await writing

    async def test_what_is_being_read_stays_as_it_was(self, line_store: LineStoreUnderTest) -> None:
        """From its first line on: what is written or added meanwhile is for the next reader."""
        for change in (line_store.store.append_lines, line_store.store.write_lines):
            await line_store.store.write_lines(line_store.path, _OLD)
            async with aclosing(line_store.store.iter_lines(line_store.path)) as lines:
                seen = [await anext(lines)]
                await change(line_store.path, ["new"])
                seen += [line async for line in lines]
            assert seen == _OLD
            assert "new" in (await line_store.lines() or [])

    async def test_a_list_may_change_while_it_is_written(self, line_store: LineStoreUnderTest) -> None:
        """What counts is what it held at the call."""
        for write in (line_store.store.write_lines, line_store.store.append_lines):
            await line_store.store.write_lines(line_store.path, [])
            lines = list(_OLD)
            writing = asyncio.create_task(write(line_store.path, lines))
            await asyncio.sleep(0)
            lines[:] = ["changed"]
            await writing
            assert await line_store.lines() == _OLD

    # ------------------------------------------------------------ the end

    async def test_a_reader_may_leave_early(self, line_store: LineStoreUnderTest) -> None:
        """Nothing is held up by it."""
        await line_store.store.write_lines(line_store.path, _OLD)
        async with aclosing(line_store.store.iter_lines(line_store.path)) as lines:
            assert await anext(lines) == _OLD[0]
        await line_store.store.write_lines(line_store.path, ["new"])
        assert await line_store.lines() == ["new"]

    async def test_a_closed_store_refuses(self, line_store: LineStoreUnderTest) -> None:
        """To close it twice is no error."""
        store, path = line_store.store, line_store.path
        await store.write_lines(path, _OLD)
        await store.close()
        await store.close()
        for asked in (store.read_lines(path), store.write_lines(path, []), store.append_lines(path, [])):
            with pytest.raises(RuntimeError):
                await asked
