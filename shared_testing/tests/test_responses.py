"""aioresponses on the aiohttp that is installed."""

from __future__ import annotations

import aiohttp
import pytest

from shared_testing import aioresponses

URL = "https://api.example.com/users/1"


async def test_a_stub_answers(responses: aioresponses) -> None:
    """The drop-in works on an aiohttp on which aioresponses alone does not."""
    responses.get(URL, payload={"id": 1})
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        assert await response.json() == {"id": 1}


async def test_an_error_status_is_raised(responses: aioresponses) -> None:
    """raise_for_status behaves as on a real response."""
    responses.get(URL, status=404)
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        with pytest.raises(aiohttp.ClientResponseError):
            response.raise_for_status()


@pytest.mark.parametrize("size", [0, 131_072, 131_073, 2_000_000])
async def test_a_body_may_have_any_size(responses: aioresponses, size: int) -> None:
    """Past 128 KiB aiohttp wants to pause a parser that a stub does not have."""
    responses.get(URL, body=b"x" * size)
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        assert len(await response.read()) == size


async def test_a_body_can_be_streamed(responses: aioresponses) -> None:
    """Reading in chunks gives the same bytes."""
    responses.get(URL, body=b"x" * 300_000)
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        assert sum([len(chunk) async for chunk in response.content.iter_chunked(1000)]) == 300_000


async def test_it_is_a_context_manager_too() -> None:
    """`with aioresponses() as stubs` is the shape that its users know."""
    with aioresponses() as stubs:
        stubs.get(URL, exception=TimeoutError("too late"))
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TimeoutError, match="too late"):
                await session.get(URL)
