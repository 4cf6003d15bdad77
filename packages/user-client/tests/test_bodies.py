"""Bodies of any size and encoding, in bounded memory."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import cache
from typing import TYPE_CHECKING

import pytest

from shared_testing.contracts.user_api import GET_USER, SEARCH_USERS
from user_client import RequestRefused, ResponseInvalid, ResponseTooLarge, UserAPIClient

if TYPE_CHECKING:
    from shared_testing import FakeUsers, aioresponses

MEGABYTE = 1 << 20
ALICE = b'{"id": 1, "name": "Alice"}'
# Without the time, which would make the tests' names other ones in each process.
SQUEEZED = gzip.compress(ALICE, mtime=0)


@cache
def _bomb(megabytes: int) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([squeeze.compress(b" " * MEGABYTE) for _ in range(megabytes)] + [squeeze.flush()])


async def test_a_small_answer_that_expands_to_much_is_refused(users: FakeUsers, client: UserAPIClient) -> None:
    """100 kB of gzip that stand for 100 MB cost a few megabytes, and an error (C11)."""
    users.on(GET_USER).break_contract(200, _bomb(100), content_encoding="gzip", content_type="application/json")
    tracemalloc.start()
    try:
        with pytest.raises(ResponseTooLarge, match="more than max_body=8388608 bytes"):
            await client.fetch_user(1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 * MEGABYTE


LARGE = '{"id": 1, "name": "' + "x" * 5000 + '"}'


async def test_a_large_answer_is_not_even_read(users: FakeUsers) -> None:
    """When its Content-Length is over the limit (C11)."""
    users.on(GET_USER).break_contract(200, LARGE)
    async with UserAPIClient(users.url, max_body=4096) as client:
        with pytest.raises(ResponseTooLarge, match="max_body=4096"):
            await client.fetch_user(1)


async def test_a_large_answer_without_a_length_is_read_up_to_the_limit(responses: aioresponses) -> None:
    """A server that streams is stopped when it has sent too much (C11)."""
    responses.get("https://api.example.com/users/1", body=LARGE, repeat=True)
    with pytest.raises(ResponseTooLarge, match="max_body=4096"):
        await UserAPIClient("https://api.example.com", max_body=4096).fetch_user(1)
    assert await UserAPIClient("https://api.example.com", max_body=len(LARGE)).fetch_user(1)


async def test_an_answer_of_exactly_the_limit_is_read(users: FakeUsers) -> None:
    """The limit is the most that is allowed, plain and compressed."""
    for body, encoding in ((ALICE, "identity"), (SQUEEZED, "gzip")):
        limit = max(len(body), len(ALICE))
        users.on(GET_USER).reply(200, body, content_encoding=encoding, content_type="application/json")
        async with UserAPIClient(users.url, max_body=limit) as client:
            assert (await client.fetch_user(1))["name"] == "Alice"
        users.on(GET_USER).reply(200, body, content_encoding=encoding, content_type="application/json")
        async with UserAPIClient(users.url, max_body=limit - 1) as client:
            with pytest.raises(ResponseTooLarge):
                await client.fetch_user(1)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(SQUEEZED, "gzip"), (SQUEEZED, "X-GZIP"), (zlib.compress(ALICE), "deflate")],
)
async def test_compressed_answers_are_read(users: FakeUsers, client: UserAPIClient, body: bytes, encoding: str) -> None:
    """gzip is asked for; deflate in its zlib form is understood as well."""
    users.on(GET_USER).reply(200, body, content_encoding=encoding, content_type="application/json")
    assert (await client.fetch_user(1))["name"] == "Alice"
    assert users.requests[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (SQUEEZED[:-4], "gzip", "not a whole gzip stream"),
        (ALICE, "gzip", "not a whole gzip stream"),
        (b"", "gzip", "not a whole gzip stream"),
        (ALICE, "br", "only gzip was asked for"),
    ],
)
async def test_broken_compression_is_an_invalid_answer(
    users: FakeUsers, client: UserAPIClient, body: bytes, encoding: str, reason: str
) -> None:
    """Cut short, mislabelled or never asked for."""
    users.on(GET_USER).break_contract(200, body, content_encoding=encoding)
    with pytest.raises(ResponseInvalid, match=reason):
        await client.fetch_user(1)


async def test_an_error_page_is_bounded_too(users: FakeUsers, client: UserAPIClient) -> None:
    """A bomb in place of an error message is no message."""
    users.on(GET_USER).break_contract(400, _bomb(100), content_encoding="gzip")
    with pytest.raises(RequestRefused, match=r"400 Bad Request$"):
        await client.fetch_user(1)


async def test_after_an_answer_that_was_not_read_the_client_goes_on(users: FakeUsers) -> None:
    """The connection with the rest of it is dropped, and the next call finds another."""
    users.add()
    users.on(SEARCH_USERS).break_contract(200, "x" * MEGABYTE)
    async with UserAPIClient(users.url, max_body=1000, max_concurrent=1) as client:
        with pytest.raises(ResponseTooLarge):
            await client.search_users("")
        assert (await client.fetch_user(1))["id"] == 1
