"""The user API as an aiohttp application: what it does by itself with each request, and what a script makes of it."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from shared_testing.contracts.contract import integer
from shared_testing.contracts.openapi import openapi
from shared_testing.contracts.user_api import GET_USER, LIST_USERS, LOGIN, SEARCH_USERS, USER_API, User
from shared_testing.evidence import stubs
from shared_testing.evidence.requesters import requester
from shared_testing.http.faults import REQUEST_FAULTS, Exchange, reset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler

    from shared_testing.contracts.contract import Endpoint
    from shared_testing.fakes.script import Script, Step
    from shared_testing.fakes.weather import Weather

_DOCUMENT = "/openapi.json"
_A_PAGE = "100"


@dataclass(slots=True)
class Accounts:
    """Who there is, who may log in, and who has."""

    credentials: dict[str, str]
    require_login: bool
    token_lifetime: float | None
    users: dict[int, User] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)
    """Until when, by the loop's clock, each is accepted."""
    logins: int = 0


class UserService:
    """Answers requests. What is counted and who exists is kept by its owner."""

    def __init__(self, accounts: Accounts, script: Script, weather: Weather) -> None:
        self._accounts = accounts
        self._script = script
        self.weather = weather

    def routes(self) -> list[web.RouteDef]:
        answers: tuple[tuple[Endpoint, Handler], ...] = (
            (LOGIN, self._login),
            (SEARCH_USERS, self._search),
            (LIST_USERS, self._list),
            (GET_USER, self._get),
        )
        routes = [web.route(each.method, each.path, self._scripted(each, handler)) for each, handler in answers]
        return [*routes, web.get(_DOCUMENT, _document)]

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What a middleware does: refuse what the contract does not have, and say so."""
        refusal = request.match_info.http_exception
        if refusal is None:
            return await handler(request)
        what = f"{request.method} {request.path}"
        cause = f"the user API has no such operation; {USER_API.nearest(request.method, request.path)}"
        site = requester(request.method, request.raw_path)
        fix = "ask for a path of the contract, or add it there when the service has got a new one"
        stubs.tell(stubs.Mismatch(f"request {what}, which nobody answers", site, cause, fix))
        allowed = refusal.headers.get("Allow")
        return problem(refusal.status, cause, {"Allow": allowed} if allowed else None)

    # ------------------------------------------------------------ one request

    def _scripted(self, endpoint: Endpoint, answer: Handler) -> Handler:
        own = self._own(endpoint, answer)

        async def handle(request: web.Request) -> web.StreamResponse:
            for step in self._script.take(endpoint):
                await asyncio.sleep(step.delay)
                if step.reply or step.fault:
                    return await _play(step, request, own)
            return await own(request)

        return handle

    def _own(self, endpoint: Endpoint, answer: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """What the service does by itself, in whatever weather."""

        async def handle(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(self.weather.delay())
            match self.weather.mishap():
                case "throttled":
                    return problem(429, "too many requests", {"Retry-After": "0"})
                case "broken":
                    return problem(500, "internal error")
                case "reset":
                    return reset(request)
            if endpoint.needs_token and not self._is_admitted(request):
                return problem(401, "token missing or expired", {"WWW-Authenticate": "Bearer"})
            body = await request.read() if endpoint.body is not None else b""
            if refusal := endpoint.refusal(request.query, request.headers.get("Content-Type", ""), body):
                return problem(422, refusal)
            return await answer(request)

        return handle

    def _is_admitted(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return not self._accounts.require_login
        return scheme.lower() == "bearer" and self._accounts.tokens.get(token, 0.0) > asyncio.get_running_loop().time()

    # ------------------------------------------------------------ the API

    async def _login(self, request: web.Request) -> web.Response:
        accounts, body = self._accounts, await request.json()
        if accounts.credentials.get(body["username"]) != body["password"]:
            return problem(401, "wrong user name or password")
        token = secrets.token_urlsafe(24)
        lifetime = accounts.token_lifetime
        accounts.tokens[token] = asyncio.get_running_loop().time() + (float("inf") if lifetime is None else lifetime)
        accounts.logins += 1
        seconds = 3600 if lifetime is None else int(lifetime)
        return _json({"access_token": token, "token_type": "bearer", "expires_in": seconds})

    async def _list(self, request: web.Request) -> web.Response:
        after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", _A_PAGE))
        users = self._accounts.users
        ids = sorted(number for number in users if number > after)[: limit + 1]
        page = [_summary(users[number]) for number in ids[:limit]]
        return _json({"users": page, "next": ids[limit - 1] if len(ids) > limit else None})

    async def _search(self, request: web.Request) -> web.Response:
        text = request.query["q"].lower()
        return _json([user for user in self._accounts.users.values() if text in user["name"].lower()])

    async def _get(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        user = self._accounts.users.get(integer(name) or 0)
        return problem(404, f"no user {name}") if user is None else _json(user)


async def _play(step: Step, request: web.Request, own: Handler) -> web.StreamResponse:
    """Do what the step says to this request."""
    if step.reply is not None:
        return web.Response(status=step.reply.status, body=step.reply.body, headers=step.reply.headers)
    return await REQUEST_FAULTS[step.fault](Exchange(request, own, step.seconds))


async def _document(_: web.Request) -> web.Response:
    return _json(openapi(USER_API))


def _summary(user: User) -> User:
    """A user as pages show it: who wants more asks for the user."""
    return User(id=user["id"], name=user["name"])


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)


def problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json({"error": text}, status, headers)
