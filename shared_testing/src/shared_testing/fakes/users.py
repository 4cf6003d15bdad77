"""The fake user API: a real aiohttp server with users in memory.

It does by itself what ``contracts/user_api.py`` promises; a test scripts the exceptions.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

from aiohttp import web

from shared_testing.contracts.user_api import GET_USER, LIST_USERS, LOGIN, SEARCH_USERS, Endpoint, User
from shared_testing.fakes.script import Script, ScriptedEndpoint, play
from shared_testing.fakes.weather import Weather
from shared_testing.http.faults import reset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler

_PLANS = ("free", "team", "enterprise")


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it reached the server."""

    method: str
    path: str
    """As sent: with its query, and still percent-encoded."""
    headers: Mapping[str, str]


class FakeUsers:
    """``async with FakeUsers() as users``: the API is served at ``users.url`` until the block ends.

    `require_login`: requests without a token are answered by 401 (a wrong token always is).
    `credentials`: the user names that may log in, with their passwords.
    `token_lifetime`: seconds after which a token is no longer accepted; None for ever.
    """

    def __init__(
        self,
        *,
        require_login: bool = False,
        credentials: Mapping[str, str] | None = None,
        token_lifetime: float | None = None,
        weather: Weather | None = None,
        port: int = 0,
    ) -> None:
        self.require_login = require_login
        self.credentials = dict(credentials or {"testuser": "testpass"})
        self.token_lifetime = token_lifetime
        self.weather = weather or Weather()
        self.requests: list[SeenRequest] = []
        self.logins = 0
        """How many logins succeeded."""
        self.connections = 0
        """How many connections were accepted."""
        self.in_flight = 0
        self.peak = 0
        """The most requests that were ever inside at once."""
        self._users: dict[int, User] = {}
        self._tokens: dict[str, float] = {}
        self._script = Script()
        self._arrival: asyncio.Future[None] | None = None
        self._port = port
        self._running = AsyncExitStack()
        self._server: asyncio.Server | None = None

    # ------------------------------------------------------------ what a test says and asks

    @property
    def url(self) -> str:
        """The base URL of the running server, without a slash at its end."""
        if self._server is None:
            raise RuntimeError("the fake user API is not running; enter it with `async with FakeUsers() as users`")
        port: int = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def add(self, name: str = "Alice", *, email: str | None = None, id: int | None = None) -> User:  # noqa: A002
        """Add one user, by default with the next free id, and return it as the API will."""
        number = len(self._users) + 1 if id is None else id
        if number < 1 or number in self._users:
            raise ValueError(f"add(id={number}): ids are positive and unique")
        address = email or f"{name.lower().replace(' ', '.')}.{number}@example.com"
        user = User(id=number, name=name, email=address, plan=_PLANS[number % len(_PLANS)])
        self._users[number] = user
        return user

    def populate(self, count: int) -> None:
        """Add `count` users with names of their own."""
        for number in range(len(self._users) + 1, len(self._users) + count + 1):
            self.add(f"User {number}", id=number)

    def remove(self, user_id: int) -> None:
        del self._users[user_id]

    def get(self, user_id: int) -> User:
        """The full record of a user; KeyError for none."""
        return self._users[user_id]

    def __len__(self) -> int:
        return len(self._users)

    def on(self, endpoint: Endpoint) -> ScriptedEndpoint:
        """Script what the next requests to that endpoint meet."""
        return ScriptedEndpoint(endpoint, self._script)

    def unused(self) -> list[str]:
        """The scripted steps that no request has used, in words."""
        return self._script.unused()

    def forget_script(self) -> None:
        """Drop the scripted steps that are still to come."""
        self._script.clear()

    async def received(self, count: int) -> None:
        """Return as soon as `count` requests have arrived since the fake was made."""
        while len(self.requests) < count:
            self._arrival = self._arrival or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._arrival)

    def expire_tokens(self) -> None:
        """Forget every token that was handed out."""
        self._tokens.clear()

    # ------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        # shutdown_timeout=0: a handler that is told to stall is cancelled, not waited for.
        runner = web.AppRunner(self.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0)
        async with AsyncExitStack() as undo:
            await runner.setup()
            undo.push_async_callback(runner.cleanup)
            new_protocol = cast("Callable[[], asyncio.Protocol]", runner.server)

            def accept() -> asyncio.Protocol:
                self.connections += 1
                return new_protocol()

            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(accept, "127.0.0.1", self._port, backlog=1024)
            undo.callback(self._server.close)
            self._running = undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()
        self._server = None

    def application(self) -> web.Application:
        """The API as an aiohttp application, for a runner of one's own."""

        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._watch(request, handler)

        app = web.Application(middlewares=[watch])
        for endpoint, handler in (
            (LOGIN, self._login),
            (SEARCH_USERS, self._search),
            (LIST_USERS, self._list),
            (GET_USER, self._get),
        ):
            app.router.add_route(endpoint.method, endpoint.path, self._scripted(endpoint, handler))
        return app

    # ------------------------------------------------------------ one request

    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(SeenRequest(request.method, request.raw_path, request.headers))
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await handler(request)
        finally:
            self.in_flight -= 1

    def _scripted(self, endpoint: Endpoint, handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            for step in self._script.take(endpoint):
                await asyncio.sleep(step.delay)
                if step.status or step.fault:
                    return await play(step, request)
            await asyncio.sleep(self.weather.delay())
            match self.weather.mishap():
                case "throttled":
                    return _problem(429, "too many requests", {"Retry-After": "0"})
                case "broken":
                    return _problem(500, "internal error")
                case "reset":
                    return reset(request)
            if endpoint is not LOGIN and not self._is_admitted(request):
                return _problem(401, "token missing or expired", {"WWW-Authenticate": "Bearer"})
            return await handler(request)

        return handle

    def _is_admitted(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return not self.require_login
        return scheme == "Bearer" and self._tokens.get(token, 0.0) > asyncio.get_running_loop().time()

    # ------------------------------------------------------------ the API

    async def _login(self, request: web.Request) -> web.Response:
        try:
            body: Any = await request.json()
            accepted = self.credentials.get(body["username"]) == body["password"]
        except (ValueError, KeyError, TypeError):
            return _problem(422, "send username and password as a JSON object")
        if not accepted:
            return _problem(401, "wrong user name or password")
        token = secrets.token_urlsafe(24)
        lifetime = float("inf") if self.token_lifetime is None else self.token_lifetime
        self._tokens[token] = asyncio.get_running_loop().time() + lifetime
        self.logins += 1
        seconds = 3600 if self.token_lifetime is None else int(self.token_lifetime)
        return _json({"access_token": token, "token_type": "bearer", "expires_in": seconds})

    async def _list(self, request: web.Request) -> web.Response:
        try:
            after = int(request.query.get("after", "0"))
            limit = int(request.query.get("limit", "100"))
        except ValueError:
            return _problem(422, "after and limit are whole numbers")
        if not 1 <= limit <= 1000:
            return _problem(422, "limit is 1 to 1000")
        ids = sorted(number for number in self._users if number > after)[: limit + 1]
        page = [_summary(self._users[number]) for number in ids[:limit]]
        return _json({"users": page, "next": ids[limit - 1] if len(ids) > limit else None})

    async def _search(self, request: web.Request) -> web.Response:
        text = request.query.get("q", "").lower()
        return _json([user for user in self._users.values() if text in user["name"].lower()])

    async def _get(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        user = self._users.get(int(name)) if name.isdecimal() else None
        return _problem(404, f"no user {name}") if user is None else _json(user)


def _summary(user: User) -> User:
    """A user as pages show it: who wants more asks for the user."""
    return User(id=user["id"], name=user["name"])


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)


def _problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json({"error": text}, status, headers)
