"""Calls that wait on the event loop's thread: every kind, and what only looks like one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.client
import multiprocessing
import os
import queue
import select
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import pytest_asyncio


def soon(act: Any, *args: Any, seconds: float = 0.02) -> None:
    threading.Timer(seconds, act, args).start()


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def port() -> Any:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


class Kinds:
    """The code under test: each function blocks in its own way."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    def sleep_a_little(self) -> None:
        time.sleep(0.001)  # !! AT201

    def sleep_imported_by_name(self) -> None:
        sleep(0.001)  # !! AT201

    def open_without_reading(self) -> None:
        with open(self.folder / "file"):  # !! AT201
            pass

    def read(self) -> None:
        with open(self.folder / "file") as file:  # !! AT201
            file.read()

    def write(self) -> None:
        with open(self.folder / "new", "w") as file:  # !! AT201
            file.write("text")

    def read_text(self) -> None:
        (self.folder / "file").read_text()  # !! AT201

    def write_bytes(self) -> None:
        (self.folder / "new").write_bytes(b"x")  # !! AT201

    def low_level_open(self) -> None:
        os.close(os.open(self.folder / "file", os.O_RDONLY))  # !! AT201

    def copy(self) -> None:
        shutil.copyfile(self.folder / "file", self.folder / "copy")  # !! AT201

    def temporary_file(self) -> None:
        with tempfile.NamedTemporaryFile():  # !! AT201
            pass

    def database(self) -> None:
        sqlite3.connect(self.folder / "db").close()  # !! AT201

    def shell(self) -> None:
        os.system("true")  # !! AT201

    def pipe_from_shell(self) -> None:
        with os.popen("true") as output:  # !! AT201
            output.read()

    def run(self) -> None:
        subprocess.run(["true"], check=True)  # !! AT201

    def check_output(self) -> None:
        subprocess.check_output(["true"])  # !! AT201

    def wait_for_process(self) -> None:
        process = subprocess.Popen(["sleep", "0.02"])
        process.wait()  # !! AT201

    def communicate(self) -> None:
        process = subprocess.Popen(["true"], stdout=subprocess.PIPE)
        process.communicate()  # !! AT201

    def wait_for_pid(self) -> None:
        pid = os.posix_spawnp("sleep", ["sleep", "0.02"], os.environ)
        os.waitpid(pid, 0)  # !! AT201

    def join_process(self) -> None:
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(0.02,))
        process.start()
        process.join()  # !! AT201

    def connect(self) -> None:
        with socket.socket() as client:
            client.connect(("127.0.0.1", self.port))  # !! AT201

    def create_connection(self) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()  # !! AT201

    def receive(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            soon(right.send, b"x")
            left.recv(1)  # !! AT201

    def accept(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.01)
            with pytest.raises(TimeoutError):
                server.accept()  # !! AT201

    def resolve(self) -> None:
        socket.getaddrinfo("localhost", 80)  # !! AT201

    def resolve_by_name(self) -> None:
        socket.gethostbyname("localhost")  # !! AT201

    def fetch(self) -> None:
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/").close()  # !! AT201

    def http_client(self) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self.port)
        client.request("GET", "/")  # !! AT201
        client.close()

    def wait_for_sockets(self) -> None:
        select.select([], [], [], 0.01)  # !! AT201

    def poll(self) -> None:
        select.poll().poll(250)  # !! AT201

    def take(self) -> None:
        items: queue.Queue[int] = queue.Queue()
        soon(items.put, 1)
        items.get()  # !! AT201

    def take_with_timeout(self) -> None:
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=0.01)  # !! AT201

    def put(self) -> None:
        items: queue.Queue[int] = queue.Queue(1)
        items.put(1)
        with pytest.raises(queue.Full):
            items.put(2, timeout=0.01)  # !! AT201

    def event(self) -> None:
        threading.Event().wait(0.01)  # !! AT201

    def semaphore(self) -> None:
        threading.Semaphore(0).acquire(timeout=0.01)  # !! AT201

    def lock(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        soon(lock.release, seconds=0.1)
        lock.acquire()  # !! AT201

    def with_lock(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        soon(lock.release, seconds=0.1)
        with lock:  # !! AT201
            pass

    def join(self) -> None:
        thread = threading.Thread(target=time.sleep, args=(0.05,))
        thread.start()
        thread.join()  # !! AT201

    def result(self) -> None:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            job = pool.submit(time.sleep, 0.02)
            job.result()  # !! AT201

    def leave_a_busy_pool(self) -> None:
        with concurrent.futures.ThreadPoolExecutor() as pool:  # !! AT201
            pool.submit(time.sleep, 0.05)

    def ask(self) -> None:
        sys.stdin = open(os.devnull)
        with sys.stdin, pytest.raises(EOFError):
            input()  # !! AT201

    def pipe(self) -> None:
        reader, writer = os.pipe()
        soon(os.write, writer, b"x", seconds=0.25)
        os.read(reader, 1)  # !! AT201
        os.close(reader)
        os.close(writer)


async def under_test(kinds: Kinds, name: str) -> None:
    getattr(kinds, name)()


KINDS = [name for name in vars(Kinds) if not name.startswith("_")]


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind(kind: str, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", sys.stdin)
    (tmp_path / "file").write_text("text")
    await under_test(Kinds(tmp_path, port), kind)


async def test_in_the_test_itself() -> None:
    time.sleep(0.001)  # !! AT201


async def test_in_a_callback() -> None:
    asyncio.get_running_loop().call_soon(lambda: time.sleep(0.001))  # !! AT201
    await asyncio.sleep(0.01)


def test_in_a_loop_of_its_own() -> None:
    async def main() -> None:
        time.sleep(0.001)  # !! AT201

    asyncio.run(main())


async def test_in_virtual_time(virtual_clock: Any) -> None:
    await asyncio.sleep(60)
    time.sleep(0.001)  # !! AT201


async def answer() -> int:
    return 42


async def test_a_result_that_only_this_thread_could_give() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(BaseException, match="for ever"):
        asyncio.run_coroutine_threadsafe(answer(), loop).result()  # !! AT201


LOCK = threading.Lock()


async def hold() -> None:
    with LOCK:  # !! AT201
        await asyncio.sleep(0.01)


async def test_a_lock_that_is_held_across_an_await() -> None:
    first = asyncio.create_task(hold())
    await asyncio.sleep(0)
    with pytest.raises(BaseException, match="for ever"):
        await hold()
    await first


# ---- near misses


@pytest.fixture
def slow() -> Any:
    time.sleep(0.01)
    yield
    time.sleep(0.01)


async def test_a_sync_fixture_may_sleep(slow: None) -> None:
    await asyncio.sleep(0)


@pytest_asyncio.fixture
async def written(tmp_path: Path) -> Path:
    (tmp_path / "written").write_text("text")
    return tmp_path / "written"


def contents(path: Path) -> str:
    return path.read_text()


async def test_a_test_may_look_at_its_files(written: Path) -> None:
    with written.open() as file:
        assert file.read() == contents(written)


async def test_yielding_the_processor_is_no_sleep() -> None:
    time.sleep(0)


async def test_a_thread_may_block(written: Path) -> None:
    def work() -> None:
        with open(written) as file:
            file.read()
        time.sleep(0.01)
        subprocess.run(["true"], check=True)

    await asyncio.to_thread(work)
    await asyncio.to_thread(time.sleep, 0.01)
    await asyncio.get_running_loop().run_in_executor(None, sleep, 0.01)


async def test_async_counterparts() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(10))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "localhost", 0)
    reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
    writer.write(b"x")
    assert await reader.read() == b"x"
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    process = await asyncio.create_subprocess_exec("sleep", "0.01", stdout=subprocess.PIPE)
    await process.communicate()


async def drained_pool() -> None:
    loop = asyncio.get_running_loop()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, time.sleep, 0.001) for _ in range(5)))


async def test_a_pool_without_work_is_left_at_once() -> None:
    await drained_pool()


async def nothing_to_wait_for() -> None:
    with threading.Lock():
        items: queue.Queue[int] = queue.Queue()
    items.put(1)
    items.get()
    event = threading.Event()
    event.set()
    event.wait()
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    future.set_result(1)
    assert future.result() == 1
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"
        right.setblocking(False)
        with pytest.raises(BlockingIOError):
            right.recv(1)
    assert select.select([], [], [], 0) == ([], [], [])
    assert socket.getaddrinfo("127.0.0.1", 80)
    process = subprocess.Popen(["true"])
    await asyncio.sleep(0.2)
    process.wait()


async def test_calls_that_do_not_have_to_wait() -> None:
    await nothing_to_wait_for()


async def test_a_test_may_join_a_thread_that_ends() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    stop.set()
    thread.join()


async def test_a_test_may_connect_to_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()):
            server.accept()[0].close()


class Journal:
    async def start(self, path: Path) -> None:
        self.file = open(path, "w")

    async def first_line(self, path: Path) -> str:
        with open(path) as file:
            return file.readline()

    async def count(self, path: Path) -> int:
        with open(path) as file:
            return sum(1 for _ in file)


async def test_a_file_that_is_kept_or_read_by_line_has_a_buffer(tmp_path: Path) -> None:
    journal = Journal()
    await journal.start(tmp_path / "journal")
    journal.file.close()
    await journal.first_line(tmp_path / "journal")
    await journal.count(tmp_path / "journal")


async def look_at_paths() -> None:
    Path("here").resolve()
    Path("here").exists()
    os.listdir(".")


async def test_paths_may_be_looked_up() -> None:
    await look_at_paths()


async def test_another_thread_that_computes_is_not_waited_for() -> None:
    def compute() -> None:
        end = time.thread_time() + 0.2
        while time.thread_time() < end:
            pass

    async def others() -> None:
        while not job.done():
            sum(range(1000))
            await asyncio.sleep(0)

    job = asyncio.ensure_future(asyncio.to_thread(compute))
    await others()
    await job
