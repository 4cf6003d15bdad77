"""One request: where it may go, and what each kind of answer becomes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, MagicMock, patch

import aiohttp
import pytest

from shared_testing import FakeUsers, mock_of, on
from shared_testing.contracts.user_api import GET_USER, LOGIN
from user_client import (
    AuthenticatedAPIClient,
    ConnectionFailed,
    RateLimited,
    RedirectRefused,
    RequestRefused,
    ResponseInvalid,
    RetryPolicy,
    UserAPIClient,
    UserNotFound,
)

if TYPE_CHECKING:
    from shared_testing import VirtualClock, aioresponses


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_request_follows_a_redirect_to_another_origin(
    users: FakeUsers, member: AuthenticatedAPIClient, status: int
) -> None:
    """A stranger sees neither the token nor the question, and the error says where it would have gone (C12)."""
    await member.authenticate("testuser", "testpass")
    async with FakeUsers() as stranger:
        stranger.add()
        elsewhere = stranger.url.replace("127.0.0.1", "localhost")
        users.on(GET_USER).break_contract(status, location=f"{elsewhere}/users/1?key=abc")
        with pytest.raises(RedirectRefused, match=f"a redirect to {elsewhere}; .* change base_url") as caught:
            await member.fetch_user(1)
        assert stranger.requests == []
    assert "abc" not in str(caught.value)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "location", ["//127.0.0.1:1/users/1", "https://{host}/users/1", "http://me@{host}/users/1", "http://[bad/"]
)
async def test_an_origin_is_scheme_host_and_port(users: FakeUsers, client: UserAPIClient, location: str) -> None:
    """Another port, another scheme, or credentials make it another origin."""
    users.on(GET_USER).break_contract(302, location=location.format(host=users.url.removeprefix("http://")))
    with pytest.raises(RedirectRefused):
        await client.fetch_user(1)
    assert len(users.requests) == 1


async def test_a_redirect_within_the_origin_is_followed(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """An API may move a user; the token goes along, since it is for that origin."""
    await member.authenticate("testuser", "testpass")
    users.on(GET_USER).break_contract(302, location="/users/2").break_contract(301, location=f"{users.url}/users/3")
    assert (await member.fetch_user(1))["id"] == 3


async def test_redirects_in_a_circle_end(users: FakeUsers, client: UserAPIClient) -> None:
    """After five hops it is an error."""
    users.on(GET_USER).break_contract(302, location="/users/1", times=6)
    with pytest.raises(RedirectRefused, match="more than 5 times"):
        await client.fetch_user(1)
    assert len(users.requests) == 6


async def test_a_login_follows_no_redirect_at_all(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """A 307 would send the password again."""
    users.on(LOGIN).break_contract(307, location="/auth/login")
    with pytest.raises(RedirectRefused):
        await member.authenticate("testuser", "testpass")
    assert len(users.requests) == 1


async def test_cookies_are_not_kept(users: FakeUsers, client: UserAPIClient) -> None:
    """What one login left in a cookie does not go out with the next."""
    users.on(GET_USER).reply(200, users.add(), set_cookie="session=abc; Path=/")
    await client.fetch_user(1)
    await client.fetch_user(1)
    assert "Cookie" not in users.requests[1].headers


async def test_credentials_in_the_base_url_are_sent_as_basic_authentication(users: FakeUsers) -> None:
    """They go into the header, and are taken out of what the server says."""
    users.on(GET_USER).break_contract(403, {"error": "who is bWU6czNjcmV0?"})
    client = UserAPIClient(users.url.replace("://", "://me:s3cret@"))
    with pytest.raises(RequestRefused, match="403 Forbidden: who is <hidden>"):
        await client.fetch_user(1)
    assert users.requests[0].headers["Authorization"] == "Basic bWU6czNjcmV0"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "no such plan"}, "no such plan"),
        ({"error": {"code": "db_down", "trace_id": "abc"}}, '{"code": "db_down", "trace_id": "abc"}'),
        ({"detail": "d"}, "d"),
        ({"other": "o"}, ""),
        ("<h1>Bad\r\ngateway\x1b[31m</h1>", "<h1>Bad gateway [31m</h1>"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("x" * 5000, "x" * 297 + "..."),
        ("x" * 50_000, ""),
        (b"", ""),
    ],
)
async def test_the_server_s_words_are_in_the_error(
    users: FakeUsers, client: UserAPIClient, body: Any, message: str
) -> None:
    """JSON or not, on one line that cannot forge a log, and of bounded length (C8)."""
    users.on(GET_USER).break_contract(418, body)
    with pytest.raises(RequestRefused) as caught:
        await client.fetch_user(1)
    assert caught.value.server_message == message
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


async def test_a_status_that_nobody_knows_is_an_error(users: FakeUsers, client: UserAPIClient) -> None:
    """499 has no name, and is a refusal all the same."""
    users.on(GET_USER).break_contract(499)
    with pytest.raises(RequestRefused, match="499"):
        await client.fetch_user(1)


async def test_the_server_s_wait_is_on_the_error(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """RateLimited.retry_after tells a caller who wants to wait longer than the client would."""
    users.on(GET_USER).reply(429, retry_after=2)
    async with UserAPIClient(users.url, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(RateLimited) as caught:
            await client.fetch_user(1)
    assert caught.value.retry_after == 2


async def _serve_raw(answer: bytes) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


async def test_what_is_not_http_is_an_invalid_answer() -> None:
    """A server of another protocol is not taken for one that answers 400."""
    async with await _serve_raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ResponseInvalid, match="not answered in HTTP"):
            await UserAPIClient(f"http://127.0.0.1:{port}").fetch_user(1)


async def test_an_error_cut_short_keeps_its_status() -> None:
    """When the body of a 404 breaks off, it is still a 404."""
    async with await _serve_raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n{") as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UserNotFound):
            await UserAPIClient(f"http://127.0.0.1:{port}").fetch_user(1)


async def test_a_certificate_that_is_none_is_a_failed_connection(virtual_clock: VirtualClock) -> None:
    """https to a plain http server is our error as well."""
    async with FakeUsers() as users:
        with pytest.raises(ConnectionFailed):
            await UserAPIClient(users.url.replace("http:", "https:")).fetch_user(1)


# ---------------------------------------------------------------- stand-ins


@pytest.mark.parametrize("spec", [None, aiohttp.ClientResponse])
async def test_a_mocked_response_needs_only_json(spec: type | None) -> None:
    """ClientSession.get may be patched with a mock that has no status and no body."""
    response = MagicMock(spec=spec)
    response.json = AsyncMock(return_value={"id": 1, "name": "Alice"})
    response.raise_for_status = MagicMock()
    with patch("aiohttp.ClientSession.get") as get:
        get.return_value.__aenter__.return_value = response
        assert (await UserAPIClient("https://api.example.com").fetch_user(1))["name"] == "Alice"
    get.assert_called_once()
    assert get.call_args.args == ("https://api.example.com/users/1",)


async def test_a_stand_in_for_aiohttp_is_called_as_aiohttp_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the signatures and types of its class: a keyword that aiohttp does not take would be refused."""
    response = mock_of(aiohttp.ClientResponse, status=200, headers={})
    on(response.json).returns({"id": 1, "name": "Alice"})
    session = mock_of(aiohttp.ClientSession)
    on(session.get).returns(response)
    monkeypatch.setattr(aiohttp.ClientSession, "get", session.get)
    assert (await UserAPIClient("https://api.example.com").fetch_user(1))["name"] == "Alice"
    assert [call["url"] for call in on(session.get).calls] == ["https://api.example.com/users/1"]


async def test_a_mocked_response_may_be_an_error() -> None:
    """What its raise_for_status() raises counts, awaited if need be, and becomes our error."""
    refusal = aiohttp.ClientResponseError(MagicMock(), (), status=404, message="gone")
    with patch("aiohttp.ClientSession.get") as get:
        for raise_for_status in (MagicMock(side_effect=refusal), AsyncMock(side_effect=refusal)):
            get.return_value.__aenter__.return_value = MagicMock(raise_for_status=raise_for_status)
            get.return_value.__aexit__.return_value = None
            with pytest.raises(UserNotFound, match="404 Not Found: gone"):
                await UserAPIClient("https://api.example.com").fetch_user(1)


async def test_a_mocked_connection_error_is_tried_again(
    responses: aioresponses, exact: RetryPolicy, virtual_clock: VirtualClock
) -> None:
    """Retries sit above session.get, where aioresponses can see them."""
    url = "https://api.example.com/users/1"
    responses.get(url, exception=aiohttp.ClientConnectionError("reset"))
    responses.get(url, status=502)
    responses.get(url, payload={"id": 1, "name": "Alice"})
    client = UserAPIClient("https://api.example.com", retry=exact)
    assert (await client.fetch_user(1))["id"] == 1
    assert client.retries == 2


async def test_what_is_forbidden_is_no_question_of_the_token(users: FakeUsers, member: AuthenticatedAPIClient) -> None:
    """A 403 is final: logging in again would not help."""
    await member.authenticate("testuser", "testpass")
    users.on(GET_USER).reply(403)
    with pytest.raises(RequestRefused) as caught:
        await member.fetch_user(1)
    assert type(caught.value) is RequestRefused
    assert users.logins == 1
