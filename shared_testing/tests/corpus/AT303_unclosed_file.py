"""Files and descriptors that nobody closes."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio


class Journal:
    async def start(self, path: Path) -> None:
        self.file = open(path, "w")  # !! AT303
        await asyncio.sleep(0)
        self.file.write("started\n")


kept: list[object] = []


async def test_kept_open(tmp_path: Path) -> None:
    journal = Journal()
    kept.append(journal)
    await journal.start(tmp_path / "journal")


async def test_dropped(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_text("[]")
    assert json.load(open(path)) == []  # !! AT303


async def test_dropped_in_a_cycle(tmp_path: Path) -> None:
    journal = Journal()
    journal.me = journal  # type: ignore[attr-defined]
    journal.file = open(tmp_path / "journal", "wb")  # type: ignore[assignment] # !! AT303


def test_in_a_sync_test(tmp_path: Path) -> None:
    open(tmp_path / "journal", "w").write("lost?")  # !! AT303


async def test_without_a_buffer(tmp_path: Path) -> None:
    open(tmp_path / "journal", "wb", 0).write(b"x")  # !! AT303
    assert (tmp_path / "journal").read_bytes() == b"x"


async def test_without_a_buffer_in_a_cycle(tmp_path: Path) -> None:
    journal = Journal()
    journal.me = journal  # type: ignore[attr-defined]
    journal.file = open(tmp_path / "journal", "wb", 0)  # type: ignore[assignment] # !! AT303


async def test_by_pathlib(tmp_path: Path) -> None:
    kept.append((tmp_path / "journal").open("a"))  # !! AT303


async def test_by_gzip(tmp_path: Path) -> None:
    kept.append(gzip.open(tmp_path / "journal.gz", "wt"))  # !! AT303


async def test_a_temporary_file() -> None:
    kept.append(tempfile.NamedTemporaryFile())  # !! AT303


async def test_opened_in_a_thread(tmp_path: Path) -> None:
    file = await asyncio.to_thread(open, tmp_path / "journal", "w")  # !! AT303
    await asyncio.to_thread(file.write, "x")


async def test_opened_in_a_thread_by_pathlib(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(None, (tmp_path / "journal").open, "w")  # !! AT303
    file.write("x")


async def test_a_descriptor(tmp_path: Path) -> None:
    os.write(os.open(tmp_path / "journal", os.O_CREAT | os.O_WRONLY), b"x")  # !! AT303


async def test_a_pipe() -> None:
    read, write = os.pipe()  # !! AT303
    os.close(write)


async def test_mkstemp(tmp_path: Path) -> None:
    _, path = tempfile.mkstemp(dir=tmp_path)  # !! AT303
    assert os.path.exists(path)


async def test_closed_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with open(path, "w") as file, path.open() as other, gzip.open(path, "rt"), open(path, "rb", 0):
        file.write("x")
    assert other.closed
    io.open(path).close()
    assert Path(path).read_text() == "x"
    os.close(os.open(path, os.O_RDONLY))
    with tempfile.NamedTemporaryFile(), tempfile.TemporaryFile(), tempfile.SpooledTemporaryFile():
        pass


async def test_descriptors_that_somebody_takes_are_fine(tmp_path: Path) -> None:
    number, path = tempfile.mkstemp(dir=tmp_path)
    with os.fdopen(number, "w") as file:
        file.write("x")
    read, write = os.pipe()
    with open(read, "rb"), open(write, "wb"):
        pass
    with socket.socket() as sock, socket.socket(fileno=os.dup(sock.fileno())):
        pass


async def test_closed_and_opened_again_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for buffering in (-1, 0):
        first = open(path, "wb", buffering)
        first.close()
        with open(path, "wb", buffering) as again:
            assert again.fileno() > 0
            del first


async def test_borrowed_is_fine() -> None:
    open(1, "w", closefd=False)
    io.StringIO("x")


async def test_handed_to_a_process_is_fine(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "", stdout=log, stderr=subprocess.PIPE)
        await process.communicate()
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", ""], capture_output=True, check=True)


async def test_a_log_is_fine(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "log")
    handler.close()


async def test_closed_in_a_thread_is_fine(tmp_path: Path) -> None:
    file = await asyncio.to_thread((tmp_path / "journal").open, "w")
    await asyncio.to_thread(file.close)
    with ThreadPoolExecutor() as pool:
        assert pool.submit((tmp_path / "journal").read_text).result() == ""


@pytest.fixture
def journal(tmp_path: Path) -> object:
    journal = Journal()
    yield journal
    journal.file.close()


async def test_closed_by_its_fixture_is_fine(journal: Journal, tmp_path: Path) -> None:
    journal.file = open(tmp_path / "journal", "w")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide(tmp_path_factory: pytest.TempPathFactory) -> object:
    file = open(tmp_path_factory.mktemp("wide") / "journal", "w")
    yield file
    file.close()


async def test_what_a_wider_fixture_opened_is_fine(wide: object) -> None:
    await asyncio.sleep(0)


def test_a_warning_that_the_test_waits_for_is_fine(tmp_path: Path) -> None:
    for mode, buffering in (("w", -1), ("wb", -1), ("wb", 0)):
        file = open(tmp_path / "a.txt", mode, buffering=buffering)
        with pytest.warns(ResourceWarning, match="unclosed file"):
            del file


def test_innocent() -> None:
    kept.clear()
    gc.collect()
