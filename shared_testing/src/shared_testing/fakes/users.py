"""The fake user API: a real aiohttp application with users in memory, on a network in memory or over TCP.

It does by itself what ``contracts/user_api.py`` promises; a test scripts the exceptions.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

from aiohttp import web

from shared_testing.contracts.shape import unlike
from shared_testing.contracts.user_api import USER_API, User
from shared_testing.evidence.stub_sites import forbid
from shared_testing.fakes.script import Script, ScriptedEndpoint
from shared_testing.fakes.user_service import Accounts, UserService
from shared_testing.fakes.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler

    from shared_testing.contracts.contract import Endpoint
    from shared_testing.http import Network, ServedHost

_PLANS = ("free", "team", "enterprise")


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it reached the server."""

    method: str
    path: str
    """As sent: with its query, and still percent-encoded."""
    headers: Mapping[str, str]


class FakeUsers:
    """``async with FakeUsers() as users``: the API is served over TCP at ``users.url`` until the block ends.

    ``FakeUsers().serve_on(network)`` serves it in memory instead, as the fixture `users` does.

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
        self.requests: list[SeenRequest] = []
        self.in_flight = 0
        self.peak = 0
        """The most requests that were ever inside at once."""
        self._accounts = Accounts(dict(credentials or {"testuser": "testpass"}), require_login, token_lifetime)
        self._script = Script()
        self._service = UserService(self._accounts, self._script, weather or Weather())
        self._arrival: asyncio.Future[None] | None = None
        self._port = port
        self._accepted = 0
        self._running = AsyncExitStack()
        self._server: asyncio.Server | None = None
        self._host: ServedHost | None = None

    # ------------------------------------------------------------ what a test says and asks

    @property
    def url(self) -> str:
        """The base URL of the running API, without a slash at its end."""
        if self._host is not None:
            return self._host.url
        if self._server is None:
            raise RuntimeError(
                "the fake user API is not running; enter it with `async with FakeUsers() as users`, "
                "or serve it in memory with `users.serve_on(network)`"
            )
        port: int = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._accepted + (self._host.connections if self._host is not None else 0)

    @property
    def logins(self) -> int:
        """How many logins succeeded."""
        return self._accounts.logins

    @property
    def credentials(self) -> dict[str, str]:
        """The passwords, by user name."""
        return self._accounts.credentials

    @property
    def require_login(self) -> bool:
        return self._accounts.require_login

    @require_login.setter
    def require_login(self, value: bool) -> None:
        self._accounts.require_login = value

    @property
    def weather(self) -> Weather:
        return self._service.weather

    @weather.setter
    def weather(self, value: Weather) -> None:
        self._service.weather = value

    @property
    def token_lifetime(self) -> float | None:
        return self._accounts.token_lifetime

    @token_lifetime.setter
    def token_lifetime(self, seconds: float | None) -> None:
        self._accounts.token_lifetime = seconds

    def add(self, name: str = "Alice", *, email: str | None = None, id: int | None = None) -> User:  # noqa: A002
        """Add one user, by default with the next free id, and return it as the API will.

        Raises :class:`ContractViolation` (AT601) for one that the API cannot have.
        """
        __tracebackhide__ = True
        users = self._accounts.users
        number = len(users) + 1 if id is None else id
        address = email or f"{str(name).lower().replace(' ', '.')}.{number}@example.com"
        user = User(id=number, name=name, email=address)
        if reason := unlike(user, User, "the body"):
            forbid("users.add() makes a user that the contract forbids", reason, "give what the API can hold")
        if number in users:
            raise ValueError(f"add(id={number}): there is a user {number} already; ids are unique")
        user["plan"] = _PLANS[number % len(_PLANS)]
        users[number] = user
        return user

    def populate(self, count: int) -> None:
        """Add `count` users with names of their own."""
        for number in range(len(self) + 1, len(self) + count + 1):
            self.add(f"User {number}", id=number)

    def remove(self, user_id: int) -> None:
        del self._accounts.users[user_id]

    def get(self, user_id: int) -> User:
        """The full record of a user; KeyError for none."""
        return self._accounts.users[user_id]

    def __len__(self) -> int:
        return len(self._accounts.users)

    def on(self, endpoint: Endpoint) -> ScriptedEndpoint:
        """Script what the next requests to that endpoint meet."""
        if endpoint not in USER_API.endpoints:
            known = ", ".join(each.name for each in USER_API.endpoints)
            raise ValueError(f"on({endpoint}): that is no endpoint of the user API, which has {known}")
        return ScriptedEndpoint(endpoint, self._script)

    def unused(self) -> list[str]:
        """The scripted steps that no request has used, in words."""
        return [f"{endpoint.name}: {step}" for endpoint, step in self._script.unused()]

    def tell_unused(self) -> None:
        """Report them (AT602). The fixture does it at its end."""
        self._script.tell_unused()

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
        self._accounts.tokens.clear()

    # ------------------------------------------------------------ life

    def serve_on(self, network: Network, url: str = "http://users.test") -> Self:
        """Serve the API in memory, at that host: ``FakeUsers().serve_on(network, "https://api.example.com")``."""
        # Who is told to stall is cancelled when its client goes.
        self._host = network.serve(url, self.application(), handler_cancellation=True)
        return self

    async def __aenter__(self) -> Self:
        # shutdown_timeout=0: a handler that is told to stall is cancelled, not waited for.
        runner = web.AppRunner(self.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0)
        async with AsyncExitStack() as undo:
            await runner.setup()
            undo.push_async_callback(runner.cleanup)
            new_protocol = cast("Callable[[], asyncio.Protocol]", runner.server)

            def accept() -> asyncio.Protocol:
                self._accepted += 1
                return new_protocol()

            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(accept, "127.0.0.1", self._port, backlog=1024)
            undo.callback(self._server.close)
            self._running = undo.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        if kind is None:
            self.tell_unused()
        await self._running.aclose()
        self._server = None

    def application(self) -> web.Application:
        """The API as an aiohttp application, for a runner of one's own."""

        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._watch(request, handler)

        app = web.Application(middlewares=[watch])
        app.add_routes(self._service.routes())
        return app

    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(SeenRequest(request.method, request.raw_path, request.headers))
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await self._service.answer(request, handler)
        finally:
            self.in_flight -= 1
