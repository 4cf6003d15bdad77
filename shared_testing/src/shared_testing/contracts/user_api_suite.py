"""The user API's promises as tests, for whoever serves it: a fake, a stub, the real one.

One fixture, and they run::

    class TestOurServer(UserAPIContract):
        @pytest_asyncio.fixture
        async def user_api(self):
            async with aiohttp.ClientSession() as session:
                yield UserAPIUnderTest(session, "https://staging.example.com", "testuser", "testpass")

The server has at least three users, whom nobody changes meanwhile. In strict mode the class needs
``@pytest.mark.asyncio``. What a server cannot do on demand is skipped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

from shared_testing.contracts.contract import Reply, check_reply
from shared_testing.contracts.user_api import GET_USER, LIST_USERS, LOGIN, SEARCH_USERS

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

    from shared_testing.contracts.contract import Endpoint

_ENOUGH = 3
_NOBODY = 999_999_999


@dataclass(frozen=True, slots=True)
class UserAPIUnderTest:
    """Where the API is, and who may log in."""

    session: aiohttp.ClientSession
    url: str
    username: str
    password: str
    requires_login: bool = True
    throttle: Callable[[], object] | None = None
    """Makes the next request for a user be answered by 429; None where that cannot be had."""
    expire_tokens: Callable[[], object] | None = None
    """Makes all tokens be forgotten."""

    async def ask(
        self, endpoint: Endpoint, path: str, token: str | None = None, **request: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of an answer, which has to be one that the contract knows."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        headers |= request.pop("headers", {})
        url = f"{self.url}{path}"
        async with self.session.request(endpoint.method, url, headers=headers, **request) as response:
            body = await response.read()
        check_reply(endpoint, Reply(response.status, dict(response.headers), body))
        return response.status, json.loads(body), {name.lower(): value for name, value in response.headers.items()}

    async def log_in(self) -> str:
        login = {"username": self.username, "password": self.password}
        status, token, _ = await self.ask(LOGIN, "/auth/login", json=login)
        assert status == 200, token
        assert token["token_type"].lower() == "bearer"
        return str(token["access_token"])


class UserAPIContract:
    """Play it to a server by a fixture `user_api`."""

    async def test_a_login_gives_a_token_that_is_accepted(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        assert token.isascii()
        assert token.isprintable()
        assert (await user_api.ask(LIST_USERS, "/users", token))[0] == 200

    async def test_a_wrong_password_is_refused(self, user_api: UserAPIUnderTest) -> None:
        login = {"username": user_api.username, "password": f"not {user_api.password}"}
        assert (await user_api.ask(LOGIN, "/auth/login", json=login))[0] == 401

    async def test_a_stranger_cannot_log_in(self, user_api: UserAPIUnderTest) -> None:
        login = {"username": f"not {user_api.username}", "password": user_api.password}
        assert (await user_api.ask(LOGIN, "/auth/login", json=login))[0] == 401

    async def test_a_login_that_is_no_login_is_unreadable(self, user_api: UserAPIUnderTest) -> None:
        words = {"username": user_api.username, "password": user_api.password}
        assert (await user_api.ask(LOGIN, "/auth/login", json={"username": user_api.username}))[0] == 422
        assert (await user_api.ask(LOGIN, "/auth/login", json=[words]))[0] == 422
        # A form with the same words is not the JSON that was agreed on.
        assert (await user_api.ask(LOGIN, "/auth/login", data=words))[0] == 422

    async def test_a_wrong_token_is_refused_everywhere(self, user_api: UserAPIUnderTest) -> None:
        for endpoint, path in ((LIST_USERS, "/users"), (SEARCH_USERS, "/users/search?q="), (GET_USER, "/users/1")):
            assert (await user_api.ask(endpoint, path, "wrong"))[0] == 401

    async def test_another_scheme_than_bearer_is_refused(self, user_api: UserAPIUnderTest) -> None:
        headers = {"Authorization": f"Token {await user_api.log_in()}"}
        assert (await user_api.ask(LIST_USERS, "/users", headers=headers))[0] == 401

    async def test_without_a_token_nobody_is_shown(self, user_api: UserAPIUnderTest) -> None:
        if not user_api.requires_login:
            raise SkipTest("this one is open to all")
        assert (await user_api.ask(LIST_USERS, "/users"))[0] == 401

    async def test_a_user_of_a_page_can_be_had_in_full(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        summary = (await _page(user_api, token, limit=1))["users"][0]
        status, user, _ = await user_api.ask(GET_USER, f"/users/{summary['id']}", token)
        assert status == 200
        assert (user["id"], user["name"]) == (summary["id"], summary["name"])

    async def test_nobody_is_a_404(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        for name in (_NOBODY, 0, "nobody", "-1", "%C2%B2"):
            assert (await user_api.ask(GET_USER, f"/users/{name}", token))[0] == 404

    async def test_pages_lead_through_all_users_in_the_order_of_their_ids(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        everybody = (await _page(user_api, token, limit=1000))["users"]
        ids = [user["id"] for user in everybody]
        assert len(ids) >= _ENOUGH
        assert ids == sorted(set(ids))
        seen: list[int] = []
        # Some pages are enough: a real server may have a million.
        for _ in range(3):
            page = await _page(user_api, token, after=seen[-1] if seen else 0, limit=2)
            seen += [user["id"] for user in page["users"]]
            if page["next"] is None:
                break
            assert page["next"] == seen[-1]
        assert seen == ids[: len(seen)]

    async def test_the_last_page_says_so(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        page = await _page(user_api, token, limit=1000)
        while page["next"] is not None:
            page = await _page(user_api, token, after=page["next"], limit=1000)
        last = page["users"][-1]["id"]
        # Neither a page that ends exactly with the last user nor the one behind leads on.
        assert (await _page(user_api, token, after=last - 1, limit=1))["next"] is None
        assert await _page(user_api, token, after=last, limit=1) == {"users": [], "next": None}

    async def test_limits_are_kept(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        for query in ("limit=0", "limit=1001", "limit=x", "after=x", "after=-1"):
            assert (await user_api.ask(LIST_USERS, f"/users?{query}", token))[0] == 422

    async def test_a_search_finds_parts_of_names_in_any_case(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        user = (await _page(user_api, token, limit=1))["users"][0]
        for text in (user["name"], user["name"].upper(), user["name"][1:].lower()):
            status, found, _ = await user_api.ask(SEARCH_USERS, "/users/search", token, params={"q": text})
            assert status == 200
            assert user["id"] in [each["id"] for each in found]
            assert all(text.lower() in each["name"].lower() for each in found)

    async def test_a_search_for_nobody_is_an_empty_list(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        path = "/users/search?q=%00nobody%26after%3D1"
        assert (await user_api.ask(SEARCH_USERS, path, token))[:2] == (200, [])

    async def test_a_search_has_a_question(self, user_api: UserAPIUnderTest) -> None:
        token = await user_api.log_in()
        assert (await user_api.ask(SEARCH_USERS, "/users/search", token))[0] == 422

    async def test_who_asks_too_often_is_told_when_to_come_again(self, user_api: UserAPIUnderTest) -> None:
        if user_api.throttle is None:
            raise SkipTest("this one cannot be made to throttle")
        token = await user_api.log_in()
        user_api.throttle()
        status, _, headers = await user_api.ask(GET_USER, "/users/1", token)
        assert status == 429
        assert headers["retry-after"]

    async def test_an_expired_token_is_refused_and_a_new_one_is_not(self, user_api: UserAPIUnderTest) -> None:
        if user_api.expire_tokens is None:
            raise SkipTest("this one cannot be made to forget its tokens")
        token = await user_api.log_in()
        user_api.expire_tokens()
        assert (await user_api.ask(LIST_USERS, "/users", token))[0] == 401
        assert (await user_api.ask(LIST_USERS, "/users", await user_api.log_in()))[0] == 200


async def _page(user_api: UserAPIUnderTest, token: str, **query: int) -> Any:
    status, page, _ = await user_api.ask(LIST_USERS, "/users", token, params=query)
    assert status == 200
    return page
