"""Each rule's page is its rule, and its two examples are true: the bad one is told, the good one passes."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import docs
import documents
import pytest

from shared_testing.detectors.registry import RULES

if TYPE_CHECKING:
    from pathlib import Path

PAGES = docs.pages()

IMPORTS = """
import asyncio, contextlib, json, threading, time
from asyncio import gather
from contextlib import suppress
from unittest.mock import MagicMock
import aiohttp, pytest, pytest_asyncio
from aiohttp import web
from shared_testing import mock_of, on
from shared_testing.contracts.user_api import GET_USER

async def quickly(*_): await asyncio.sleep(0)
async def for_ever(*_): await asyncio.sleep(3600)
async def in_vain(*_): raise OSError("no answer")
"""

# What the examples leave to the reader: what stands before them, and what uses them. `<example>` is the example, put
# into a test if it is indented; the good one of some only says what is different from the bad one, `<bad>`.
AROUND = {
    "AT101": """
class Store: save = quickly
user = "ann"
@pytest.fixture
def store(): return Store()
<example>
""",
    "AT102": """
class Client:
    async def fetch(self, number: int) -> dict[str, int]: ...
async def test_it():
    <example>
""",
    "AT103": "<example>",
    "AT201": """
<example>
async def test_it(): await fetch("ann")
""",
    "AT202": """
def compress(image):
    end = time.thread_time() + 0.15
    while time.thread_time() < end: sum(range(10_000))
class Database: save = quickly
db = Database()
<example>
async def test_it(): await store(b"")
""",
    "AT301": """
<example>
Queue._poll = for_ever
async def test_it():
    queue = Queue()
    if hasattr(queue, "start"):
        queue.start()
    else:
        async with queue: await quickly()
""",
    "AT302": """
<example>
async def test_it(network):
    async def user(request): return web.json_response({"id": 1})
    app = web.Application()
    app.router.add_get("/users/1", user)
    network.serve("https://api.example.com", app)
    assert await fetch("https://api.example.com/users/1") == {"id": 1}
""",
    "AT303": """
<example>
async def test_it(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    assert await asyncio.to_thread(load, tmp_path / "a.json") == [1]
""",
    "AT304": """
<example>
Flusher.stopping = threading.Event()
Flusher.run = lambda self: self.stopping.wait(60)
async def test_it():
    flusher = Flusher()
    flusher.start()
    if hasattr(flusher, "close"): flusher.close()
def test_the_thread_is_let_go(): Flusher.stopping.set()
""",
    "AT305": """
class Pool:
    @contextlib.asynccontextmanager
    async def connection(self): yield
async def rows(pool):
    async with pool.connection():
        yield 1
        yield 2
<example>
async def test_it(): assert await first(Pool()) == 1
""",
    "AT401": """
<example>
class Counter:
    count = 0
    increment = increment
    log = quickly
    def __init__(self): self.lock = asyncio.Lock()
async def test_it():
    counter = Counter()
    await gather(counter.increment(), counter.increment())
    assert counter.count == 2
""",
    "AT402": """
log = quickly
async def test_it():
    a, b = asyncio.Lock(), asyncio.Lock()
    <bad>
    <example>
""",
    "AT403": """
class Backend: get, abort = for_ever, quickly
backend = Backend()
<example>
async def test_it(virtual_clock):
    with suppress(TimeoutError):
        async with asyncio.timeout(1): await lookup()
""",
    "AT501": """
class Backend: get = quickly
backend = Backend()
<bad>
<example>
async def test_first(): await fetch("ann")
async def test_second(): assert _cache == {}
""",
    "AT502": """
<bad>
<example>
""",
    "AT601": """
class Client:
    def __init__(self, url): self.url = url
    async def fetch_user(self, number):
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/users/{number}"): pass
@pytest.fixture
def client(users): return Client(users.url)
<example>
""",
    "AT602": """
app = web.Application()
async def fetch(url):
    try:
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(url) as response:
            return await response.json()
    except Exception:
        return None
<example>
""",
    "AT701": """
<example>
Cache._refresh = in_vain
async def test_it():
    cache = Cache()
    cache.start()
    await quickly()
    if hasattr(cache, "close"):
        with pytest.raises(OSError): await cache.close()
""",
    "AT702": """
files, target, written = [1, 2], "target", []
def remove(target): written.clear()
async def copy(file):
    await asyncio.sleep(file / 100)
    if file == 1: raise OSError("full")
    written.append(file)
async def test_it():
    <example>
    await asyncio.sleep(0.05)
""",
}

# Of the bad example, what the good one is to be read with: nothing where it stands for itself.
SHARED = {
    "AT402": lambda bad: bad.partition("await gather")[0],
    "AT501": lambda bad: bad,
    "AT502": lambda bad: bad.partition("@pytest.mark")[0],
}


def suite_of(code: str, example: str) -> str:
    """A file of tests with that example of a rule, 'bad' or 'good'."""
    rule = RULES[code]
    shared = SHARED[code](rule.bad) if code in SHARED and example == "good" else ""
    text = AROUND[code]
    for place, part in (("<bad>", shared), ("<example>", getattr(rule, example))):
        indent = re.search(rf"(?m)^( *){place}$", text)
        text = text.replace(
            (indent[1] if indent else "") + place, textwrap.indent(part.strip("\n"), indent[1] if indent else "")
        )
    # Waits are shortened; what stands as '...' is filled in where something must happen there.
    text = text.replace("sleep(2)", "sleep(0.01)")
    if code == "AT502":
        text = text.replace("async def client(): ...", "async def client(): return asyncio.create_task(quickly())")
        text = text.replace("async def test_fetch(client): ...", "async def test_fetch(client): await client")
    return IMPORTS + text


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints to all of them; strict mode is what AT103 is about."""
    suites = {f"test_{code}_{kind}.py": suite_of(code, kind) for code in RULES for kind in ("bad", "good")}
    strict = {name: suites.pop(name) for name in list(suites) if "AT103" in name}
    command = "pytest -o addopts= -o findings_step_seconds=0.1 --tb=short -rA"
    with documents.forked(tmp_path_factory.mktemp("forked")) as server:
        return documents.run_files(server, suites, command) + documents.run_files(
            server, strict, f"{command} -o asyncio_mode=strict"
        )


@pytest.mark.parametrize("code", RULES)
def test_the_bad_example_is_told_and_the_good_one_is_not(code: str, told: str) -> None:
    """By its own rule, and by no other."""
    found = set(re.findall(rf"(?m)^(AT\d+) .*\n  --> test_{code}_(bad|good)\.py", told))
    assert found == {(code, "bad")}, told
    assert re.search(rf"(?m)^(FAILED|ERROR) test_{code}_bad", told)
    assert re.search(rf"(?m)^PASSED test_{code}_good", told), told
    assert not re.search(rf"(?m)^(FAILED|ERROR) test_{code}_good", told), told


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_a_page_is_what_the_rule_says(file: Path) -> None:
    """`hatch run docs` writes it; nobody else does."""
    assert file.read_text("utf-8") == PAGES[file], "run: hatch run docs"


def test_no_page_is_left_over() -> None:
    """Of a rule that is no more."""
    assert set(documents.RULE_PAGES.glob("*")) == set(PAGES)


@pytest.mark.parametrize("code", RULES)
def test_a_page_has_the_words_of_explain(code: str) -> None:
    """All of them, in the same order; only the marks of Markdown are more, and what stands below the line."""
    page = PAGES[documents.RULE_PAGES / f"{code}.md"].partition("\n---\n")[0]
    words = re.sub(r"(?m)^(# |- |```\w*$)", "", page).split()
    assert words == RULES[code].page().split()
