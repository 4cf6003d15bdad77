"""What a test can tell the fake user API to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from shared_testing import FakeUsers
from shared_testing.contracts import ContractViolation, Endpoint
from shared_testing.contracts.user_api import GET_USER, LIST_USERS

if TYPE_CHECKING:
    from shared_testing import VirtualClock


async def status_of(users: FakeUsers, path: str = "/users/1") -> int:
    async with aiohttp.ClientSession(users.url) as session, session.get(path) as response:
        await response.read()
        return response.status


async def test_replies_come_in_order_and_then_the_fake_answers_by_itself(users: FakeUsers) -> None:
    """A script is used up, step by step."""
    users.add("Alice")
    users.on(GET_USER).reply(503, times=2).reply(429, retry_after=7)
    assert [await status_of(users) for _ in range(4)] == [503, 503, 429, 200]


async def test_a_keyword_is_a_header(users: FakeUsers) -> None:
    """retry_after=7 is sent as Retry-After: 7."""
    users.on(GET_USER).reply(429, retry_after=7)
    async with aiohttp.ClientSession(users.url) as session, session.get("/users/1") as response:
        assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [({"id": 1}, "application/json"), ("<html>", "text/html"), (b"\x00", "application/octet-stream")],
)
async def test_a_body_is_sent_as_what_it_is(users: FakeUsers, body: object, content_type: str) -> None:
    """Bytes are sent raw, text as a page, the rest as JSON."""
    users.on(GET_USER).break_contract(200, body)
    async with aiohttp.ClientSession(users.url) as session, session.get("/users/1") as response:
        assert response.content_type == content_type


async def test_only_that_endpoint_is_scripted(users: FakeUsers) -> None:
    """A script for one endpoint leaves the others alone."""
    users.on(GET_USER).reply(500)
    assert await status_of(users, "/users") == 200
    assert users.unused() == ["GET_USER: 500 x1"]
    users.forget_script()
    assert users.unused() == []


async def test_a_step_for_ever_is_met_by_all(users: FakeUsers) -> None:
    """times=None; once met, nothing of it is left over."""
    users.on(GET_USER).reply(503, times=None)
    assert users.unused() == ["GET_USER: 503"]
    assert [await status_of(users) for _ in range(5)] == [503] * 5
    assert users.unused() == []


@pytest.mark.allow_finding("AT601", reason="the refusal is what is tested")
@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        (418, None, {}, "GET /users/{id} is never answered with 418, only with 200, 401, 404, 429"),
        (429, None, {}, "Retry-After is missing, which always comes with 429"),
        (429, None, {"retry_after": "soon"}, "Retry-After is 'soon', neither whole seconds nor an HTTP date"),
        (200, {"id": 1, "full_name": "A"}, {}, "full_name is no field of User; did you mean name?"),
        (200, {"id": 1}, {}, "name is missing; User needs it"),
        (200, {"id": -5, "name": "A"}, {}, "id is -5, but is at least 1"),
        (200, {"id": True, "name": "A"}, {}, "id is a boolean, True, not an integer"),
        (200, [], {}, "the body is a list, not an object (User)"),
        (200, "<html>", {}, "Content-Type is 'text/html; charset=utf-8', not application/json"),
        (200, b"{", {"content_type": "application/json"}, "the body is not JSON"),
        (404, {"message": "gone"}, {}, "message is no field of Problem, which has error"),
    ],
)
def test_a_reply_that_the_contract_forbids_is_refused_at_once(
    status: int, body: Any, headers: dict[str, Any], reason: str
) -> None:
    """In the field's own words; nothing is scripted."""
    users = FakeUsers()
    with pytest.raises(ContractViolation, match=re.escape(reason)):
        users.on(GET_USER).reply(status, body, **headers)
    assert users.unused() == []


def test_a_fault_with_a_typing_error_is_refused() -> None:
    """The nearest is named."""
    with pytest.raises(ValueError, match="did you mean 'reset_mid_body'"):
        FakeUsers().on(GET_USER).fault("reset_mid_boddy")  # type: ignore[arg-type]


def test_only_what_the_api_has_can_be_scripted() -> None:
    """Another API's endpoint would never be met."""
    other = Endpoint("ORDERS", "GET", "/orders", {})
    with pytest.raises(ValueError, match="no endpoint of the user API, which has LOGIN, LIST_USERS"):
        FakeUsers().on(other)


async def test_a_delay_lets_the_request_go_on(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """The answer comes late, and is the fake's own."""
    users.add("Alice")
    users.on(GET_USER).delay(30)
    assert await status_of(users) == 200
    assert virtual_clock.now == 30


async def test_a_delay_is_for_each_of_its_requests(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """Three delayed requests wait once each, and take the steps behind the delay with them."""
    users.add("Alice")
    users.on(GET_USER).delay(10, times=3).reply(503)
    assert [await status_of(users) for _ in range(4)] == [503, 200, 200, 200]
    assert virtual_clock.now == 30


async def test_the_fake_can_answer_first(users: FakeUsers) -> None:
    """What goes wrong may go wrong with the third request."""
    users.add("Alice")
    users.on(GET_USER).answer(times=2).reply(500)
    assert [await status_of(users) for _ in range(4)] == [200, 200, 500, 200]


async def test_a_reset_is_a_connection_error(users: FakeUsers) -> None:
    """aiohttp's client tries an idempotent request twice, so two resets are one failed call."""
    users.on(GET_USER).fault("reset_before_headers", times=2)
    with pytest.raises(aiohttp.ClientConnectionError):
        await status_of(users)


async def test_a_reset_mid_body_breaks_the_reading(users: FakeUsers) -> None:
    """The headers promise more than arrives."""
    users.on(GET_USER).fault("reset_mid_body")
    with pytest.raises(aiohttp.ClientError):
        await status_of(users)


async def test_a_stall_never_answers(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """Only the client's own timeout ends it, and the server stops at once at the end of the test."""
    users.on(LIST_USERS).fault("stall")
    async with aiohttp.ClientSession(users.url, timeout=aiohttp.ClientTimeout(total=60)) as session:
        with pytest.raises(TimeoutError):
            await session.get("/users")
    assert virtual_clock.now == pytest.approx(60, abs=1)


def test_a_step_happens_at_least_once(users: FakeUsers) -> None:
    """times=0 would be a script that says nothing."""
    with pytest.raises(ValueError, match="at least once"):
        users.on(GET_USER).reply(500, times=0)
