"""The handler itself: used with and without ``async with``, closed, bounded, on any loop, in any locale."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from file_handler import AsyncFileHandler, HandlerClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from conftest import Child, Gate

WORDS = st.text(st.sampled_from("ab\r\ufeff\x0b\x0c\x1c\x85\u2028é\U0001f600\0 "), max_size=4)


@settings(max_examples=50, deadline=None)
@given(st.lists(WORDS, max_size=5), st.lists(st.lists(WORDS, max_size=3), max_size=3), st.booleans())
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, content: list[str], appended: list[list[str]], streamed: bool
) -> None:
    """Written, streamed or appended, the same lines come back. (F1, F3, F4)"""
    path = tmp_path_factory.getbasetemp() / "round-trip.txt"

    async def there_and_back() -> list[str]:
        async with AsyncFileHandler(durable=False) as handler:
            await (handler.write_stream if streamed else handler.write_lines)(path, content)
            for lines in appended:
                await handler.append_lines(path, lines)
            return await handler.read_lines(path)

    assert asyncio.run(there_and_back()) == sum(appended, content)


async def test_reading_and_writing_a_foreign_file_changes_line_ends_only(
    handler: AsyncFileHandler, target: Path
) -> None:
    """A CRLF file with a byte order mark is read as its text, and written as plain lines. (F8)"""
    target.write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    await handler.write_lines(target, await handler.read_lines(target))
    assert target.read_bytes() == b"a\nb\n"


LOCALE = """
handler = AsyncFileHandler()
asyncio.run(handler.write_lines(path, ["\\xe9\\u2028"]))
print(ascii(asyncio.run(handler.read_lines(path))))
"""


def test_the_locale_does_not_matter(child: Callable[..., Child], target: Path) -> None:
    """UTF-8, also where the locale says ASCII. (F5b)"""
    posix = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PATH": os.environ["PATH"]}
    assert child(LOCALE, target, posix).finish() == "['\\xe9\\u2028']\n"
    assert target.read_bytes() == "é\u2028\n".encode()


async def test_it_works_without_being_closed(target: Path) -> None:
    """As one writes it first; forgotten, it takes its threads along."""
    before = set(threading.enumerate())
    handler = AsyncFileHandler()
    await handler.write_lines(str(target), ["a"])
    assert await handler.read_lines(str(target)) == ["a"]
    assert set(threading.enumerate()) > before
    del handler
    gc.collect()
    async with asyncio.timeout(30):
        while set(threading.enumerate()) != before:  # noqa: ASYNC110 - a thread about to end tells nobody
            await asyncio.sleep(0)


async def test_closing_ends_the_threads(target: Path) -> None:
    """Twice does no harm."""
    before = set(threading.enumerate())
    async with AsyncFileHandler() as handler:
        await handler.append_lines(target, ["a"])
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before
    await handler.close()


async def test_a_closed_handler_says_so(target: Path) -> None:
    """Whatever is asked of it, and it is not opened again."""
    handler = AsyncFileHandler()
    await handler.close()
    for call in (
        handler.read_lines(target),
        handler.write_lines(target, ["x"]),
        handler.append_lines(target, ["x"]),
        handler.write_stream(target, ["x"]),
        anext(handler.iter_lines(target)),
        handler.__aenter__(),
    ):
        with pytest.raises(HandlerClosed, match=r"closed>? ?.*make a new"):
            await call
    with pytest.raises(HandlerClosed):
        handler.iter_batches(target)
    assert target.read_text() == "old\n"
    assert repr(handler) == "<AsyncFileHandler root=None encoding='utf-8' closed>"


async def test_closing_finishes_the_writes_that_have_begun(
    target: Path, gate_at: Callable[..., Gate], settle: Callable[[], Awaitable[None]]
) -> None:
    """It waits for them, and takes no new ones meanwhile."""
    handler = AsyncFileHandler()
    gate = gate_at("fsync")
    writing = asyncio.create_task(handler.write_lines(target, ["new"]))
    await gate.reached()
    closing = asyncio.create_task(handler.close())
    await settle()
    with pytest.raises(HandlerClosed):
        await handler.write_lines(target, ["late"])
    assert not closing.done()
    gate.open()
    await closing
    assert writing.done()
    assert target.read_text() == "new\n"


async def test_a_reading_whose_handler_is_closed_is_told(tmp_path: Path, open_descriptors: Callable[[], int]) -> None:
    """At its next fetch, and its file is closed."""
    (tmp_path / "big").write_text("x\n" * 1_000_000)
    before = open_descriptors()
    handler = AsyncFileHandler()
    lines = handler.iter_lines(tmp_path / "big")
    await anext(lines)
    await handler.close()
    with pytest.raises(HandlerClosed):
        async for _ in lines:
            pass
    assert open_descriptors() == before


async def test_a_thousand_reads_at_once_open_a_few_files(
    handler: AsyncFileHandler, target: Path, open_descriptors: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their number is bounded, so that they do not run into the limit of open files."""
    before, most = open_descriptors(), 0
    real_fstat = os.fstat

    def fstat(fd: int) -> os.stat_result:
        nonlocal most
        most = max(most, open_descriptors() - before)
        return real_fstat(fd)

    monkeypatch.setattr(os, "fstat", fstat)
    assert await asyncio.gather(*(handler.read_lines(target) for _ in range(200))) == [["old"]] * 200
    assert 0 < most <= 16
    most = 0
    await asyncio.gather(*(handler.append_lines(target, ["x"], durable=False) for _ in range(100)))
    await asyncio.gather(*(handler.write_lines(f"{target}{n}", ["x"], durable=False) for n in range(100)))
    assert 0 < most <= 20


def test_one_handler_serves_one_loop_after_another(target: Path) -> None:
    """Nothing in it belongs to a loop."""
    handler = AsyncFileHandler()
    for number in range(3):
        asyncio.run(handler.append_lines(target, [str(number)]))
    assert asyncio.run(handler.read_lines(target)) == ["old", "0", "1", "2"]


def test_a_loop_that_ends_in_the_middle_leaves_no_lock(
    target: Path, gate_at: Callable[..., Gate], names: Callable[[Path], list[str]]
) -> None:
    """asyncio.run cancels what is left; the next run writes."""
    handler = AsyncFileHandler()

    async def leave_behind() -> asyncio.Task[None]:
        return asyncio.create_task(handler.write_lines(target, ["x"] * 100_000))

    assert asyncio.run(leave_behind()).cancelled()
    asyncio.run(handler.write_lines(target, ["next"]))
    assert target.read_text() == "next\n"
    assert names(target.parent) == ["lines.txt"]


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"encoding": "utf-16"}, {"root": ""}, {"errors": "no such handler"}])
def test_wrong_options_are_refused_at_once(wrong: dict[str, object]) -> None:
    """Before a file is touched."""
    with pytest.raises((ValueError, LookupError, OSError)):
        AsyncFileHandler(**wrong)  # type: ignore[arg-type]
