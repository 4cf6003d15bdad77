"""AT302 as its user meets it: the text, once and in the right test, and a program that is left as it was."""

from __future__ import annotations

import socket
from asyncio import base_events, selector_events, streams

import aiohttp
import pytest

from shared_testing.detectors.detector import Scope
from shared_testing.detectors.unclosed import Unclosed
from shared_testing.loop.observer import LoopObserver

OPTIONS = ["-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]

CLIENT = """
import aiohttp, gc, pytest

KEPT = []

class Client:
    async def connect(self):
        self.session = aiohttp.ClientSession()

@pytest.mark.asyncio
class TestClient:
    @pytest.mark.parametrize("kept", [True, False])
    async def test_connect(self, kept):
        client = Client()
        await client.connect()
        if kept:
            KEPT.append(client)

def test_innocent():
    KEPT.clear()
    gc.collect()
"""

CLIENT_TEXT = """\
AT302 aiohttp.ClientSession was not closed
  --> test_it.py:7 in Client.connect
   |   self.session = aiohttp.ClientSession()
  cause: it was opened, and neither 'async with' nor close() ended it
  fix:   open it in 'async with aiohttp.ClientSession() as session:', or await session.close()
"""


@pytest.mark.parametrize("options", [[], ["-W", "error"]], ids=["plain", "W-error"])
def test_the_text_stands_alone(pytester: pytest.Pytester, options: list[str]) -> None:
    """aiohttp's own warnings and log lines are neither here nor in the test that runs when the session dies."""
    pytester.makepyfile(test_it=CLIENT)
    result = pytester.runpytest_subprocess(*OPTIONS, *options)
    result.assert_outcomes(failed=2, passed=1)
    assert result.stdout.str().count(CLIENT_TEXT) == 2
    assert "Unclosed" not in result.stdout.str() + result.stderr.str()


def test_a_librarys_connection_is_closed_by_way_of_the_library(pytester: pytest.Pytester) -> None:
    """Its user has no StreamWriter in hand."""
    pytester.makepyfile(
        test_it="""
import asyncio, sysconfig, types

SOURCE = '''
import asyncio
class Database:
    async def connect(self, port):
        self.streams = await asyncio.open_connection("127.0.0.1", port)
'''
path = sysconfig.get_path("purelib") + "/dbclient/__init__.py"
dbclient = types.ModuleType("dbclient")
dbclient.__file__ = path
exec(compile(SOURCE, path, "exec"), vars(dbclient))

async def test_query():
    async with await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1") as server:
        await dbclient.Database().connect(server.sockets[0].getsockname()[1])
"""
    )
    result = pytester.runpytest_subprocess(*OPTIONS, "-o", "asyncio_mode=auto")
    result.stdout.fnmatch_lines(
        [
            "AT302 connection that dbclient opened was not closed",
            "  --> test_it.py:16 in test_query",
            "  cause: what the library gave out was neither closed nor left by 'async with'",
        ]
    )


def test_uninstalled_all_is_as_before() -> None:
    """Constructors and finalizers are those of Python and aiohttp again."""
    owners = (socket.socket, base_events.Server, selector_events._SelectorTransport, streams.StreamWriter)  # type: ignore[attr-defined]
    before = [dict(vars(owner)) for owner in (*owners, aiohttp.ClientSession, aiohttp.BaseConnector)]
    detector = Unclosed()
    detector.install(LoopObserver())
    detector.start(Scope("here"))
    detector.uninstall()
    assert [dict(vars(owner)) for owner in (*owners, aiohttp.ClientSession, aiohttp.BaseConnector)] == before


def test_a_session_that_belongs_to_no_test_complains_as_ever(pytester: pytest.Pytester) -> None:
    """Of what a wider fixture loses, Python's own warning is all there is."""
    pytester.makepyfile(
        test_it="""
        import aiohttp, gc, pytest_asyncio, warnings

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def session():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                aiohttp.ClientSession()
                gc.collect()
            return [str(each.message)[:23] for each in caught]

        async def test_it(session):
            assert "Unclosed client session" in session
        """
    )
    pytester.runpytest_subprocess(*OPTIONS, "-o", "asyncio_mode=auto").assert_outcomes(passed=1)


def test_a_lost_socket_is_closed_and_told_of(pytester: pytest.Pytester) -> None:
    """It is closed at the moment at which it always was, without the warning."""
    pytester.makepyfile(
        test_it="""
        import os, pytest, socket

        def test_it():
            sock = socket.socket()
            number = sock.fileno()
            del sock
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(number)
        """
    )
    result = pytester.runpytest_subprocess(*OPTIONS, "-W", "error")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["AT302 socket was not closed", "  --> test_it.py:4 in test_it"])


def test_a_session_is_the_only_cause(pytester: pytest.Pytester) -> None:
    """Its connector, its connection, and the server's end of it say nothing."""
    pytester.makepyfile(
        test_it="""
        import aiohttp, asyncio

        async def serve(reader, writer):
            await reader.readuntil(b"\\r\\n\\r\\n")
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
            await writer.drain()
            await reader.read()
            writer.close()

        async def test_it():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            host, port = server.sockets[0].getsockname()
            session = aiohttp.ClientSession()
            response = await session.get(f"http://{host}:{port}/")
            assert await response.read() == b"ok"
            server.close()

        async def test_innocent():
            await asyncio.sleep(0)
        """
    )
    result = pytester.runpytest_subprocess(*OPTIONS, "-o", "asyncio_mode=auto", "-W", "error")
    result.assert_outcomes(failed=1, passed=1)
    assert result.stdout.str().count("\nAT") == 1
    result.stdout.fnmatch_lines(["AT302 aiohttp.ClientSession was not closed"])


HALF_MADE = """
import socket

async def test_one_takes_the_place_of_one_that_was_closed():
    closed = socket.socket()
    place = id(closed)
    closed.close()
    del closed
    others = []
    half = socket.socket.__new__(socket.socket)
    while id(half) != place and len(others) < 1000:
        others.append(half)
        half = socket.socket.__new__(socket.socket)
    for each in (*others, half):
        each._closed, each._io_refs = True, 0
    del half._closed
    del half, each
"""


def test_a_socket_whose_making_failed_was_not_left_open(pytester: pytest.Pytester) -> None:
    """It lies where another one had lain, and has no attributes yet that tell whether it is open."""
    pytester.makepyfile(HALF_MADE)
    result = pytester.runpytest_inprocess("-o", "asyncio_mode=auto", *OPTIONS)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*crashed*")
