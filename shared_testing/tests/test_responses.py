"""aioresponses on the aiohttp that is installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aioresponses import CallbackResult

from shared_testing import aioresponses
from shared_testing.builders.responses import UnmatchedRequest
from shared_testing.contracts import ContractViolation
from shared_testing.contracts.user_api import USER_API

if TYPE_CHECKING:
    import yarl

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


# ---------------------------------------------------------------- strict

meant = pytest.mark.allow_finding("AT602", reason="the report is what is tested")
refused = pytest.mark.allow_finding("AT601", reason="the refusal is what is tested")
API = "https://api.example.com"


async def fetch(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


@meant
async def test_an_unmatched_request_is_no_outage(responses: aioresponses) -> None:
    """No ClientError, which a retry would take for one; the nearest stub is named."""
    responses.get(URL, payload={"id": 1})
    with pytest.raises(UnmatchedRequest, match=r"did you mean GET https://api.example.com/users/1\?") as caught:
        await fetch("https://api.example.com/user/1")
    assert not isinstance(caught.value, aiohttp.ClientError)


@meant
async def test_a_stub_that_is_used_up_says_so(responses: aioresponses) -> None:
    """aioresponses answers by a stub once, which is a surprise to most."""
    responses.get(URL, payload={"id": 1})
    assert await fetch(URL) == 200
    with pytest.raises(UnmatchedRequest, match="its stub is used up"):
        await fetch(URL)


async def test_a_stub_for_ever_has_to_be_used_once(responses: aioresponses) -> None:
    """repeat=True is never left over."""
    responses.get(URL, payload={"id": 1}, repeat=True)
    assert [await fetch(URL) for _ in range(2)] == [200, 200]


@refused
@pytest.mark.parametrize(
    ("path", "stub", "reason"),
    [
        ("/users/1", {"payload": {"id": 1, "full_name": "A"}}, "full_name is no field of User; did you mean name?"),
        ("/users/1", {"payload": {"id": -5, "name": "A"}}, "id is -5"),
        ("/users/1", {"status": 429, "payload": {"error": "slow down"}}, "Retry-After is missing"),
        ("/users/1", {"status": 418}, "never answered with 418"),
        ("/users/1", {}, "the body is not JSON"),
        ("/user/1", {"payload": {}}, "did you mean GET /users/{id}?"),
    ],
)
def test_a_stub_is_held_against_the_contract(
    responses: aioresponses, path: str, stub: dict[str, Any], reason: str
) -> None:
    """From check_against() on, on the line that writes it."""
    responses.check_against(USER_API, API)
    with pytest.raises(ContractViolation, match=re.escape(reason)):
        responses.get(API + path, **stub)


async def test_what_keeps_the_contract_is_a_stub_like_any_other(responses: aioresponses) -> None:
    """Errors, headers, exceptions, queries, and a base URL with a path."""
    base = f"{API}/v2"
    responses.check_against(USER_API, f"{base}/")
    responses.get(f"{base}/users/1", status=429, payload={"error": "slow down"}, headers={"Retry-After": "7"})
    responses.get(f"{base}/users/1", status=503)
    responses.get(f"{base}/users/search?q=a", payload=[{"id": 1, "name": "A"}])
    responses.get(f"{base}/users/2", exception=TimeoutError("too late"))
    assert [await fetch(f"{base}/users/1") for _ in range(2)] == [429, 503]
    assert await fetch(f"{base}/users/search?q=a") == 200
    with pytest.raises(TimeoutError):
        await fetch(f"{base}/users/2")


@refused
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_callback_is_held_against_it_when_it_answers(responses: aioresponses, is_async: bool) -> None:
    """Until then nobody knows what it says; the line that wrote the stub is told."""

    def answer(url: yarl.URL, **_: object) -> CallbackResult:
        return CallbackResult(payload={"id": int(url.name), "nmae": "A"})

    async def answer_later(url: yarl.URL, **_: object) -> CallbackResult:
        return answer(url)

    responses.check_against(USER_API, API)
    responses.get(re.compile(f"{API}/.*"), callback=answer_later if is_async else answer)
    with pytest.raises(ContractViolation, match=re.escape("nmae is no field of User; did you mean name?")):
        await fetch(URL)


async def test_a_callback_answers(responses: aioresponses) -> None:
    """On today's aiohttp as well, with or without a reply of its own."""
    responses.get(URL, callback=lambda *_, **__: CallbackResult(status=404))
    responses.get(URL, callback=lambda *_, **__: None, status=503)
    assert [await fetch(URL) for _ in range(2)] == [404, 503]


@refused
@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"data": {"username": "a", "password": "b"}}, "send application/json, not a dict"),
        ({"json": {"user": "a", "password": "b"}}, "user is no field of Credentials; did you mean username?"),
        ({}, "send application/json, not a body without a type"),
    ],
)
async def test_a_request_that_the_service_refuses_is_not_granted(
    responses: aioresponses, sent: dict[str, Any], reason: str
) -> None:
    """Code that sends a form where JSON was agreed on would pass by any other stub."""
    responses.check_against(USER_API, API)
    token = {"access_token": "t0ken", "token_type": "bearer", "expires_in": 60}
    responses.post(f"{API}/auth/login", payload=token)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ContractViolation, match=re.escape(reason)):
            await session.post(f"{API}/auth/login", **sent)
        responses.post(f"{API}/auth/login", payload=token)
        await session.post(f"{API}/auth/login", json={"username": "a", "password": "b"})
    responses.clear()


async def test_other_hosts_are_other_services(responses: aioresponses) -> None:
    """/users/1 of somebody else has fields of its own."""
    responses.check_against(USER_API, API)
    responses.get("https://api.github.test/users/1", payload={"login": "octocat"})
    assert await fetch("https://api.github.test/users/1") == 200
