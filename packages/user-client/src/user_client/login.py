"""Who a client is logged in as, and the one login that is under way.

"Single-flight": fifty coroutines that meet a 401 at once share one login. It belongs to none of them:
cancelling one leaves it to the others, and it is cancelled when the last of them has gone.
"""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING

from user_client.credentials import Credentials, Secret
from user_client.errors import ClientClosed, NotAuthenticated, ResponseInvalid, UserAPIError, WrongPassword

if TYPE_CHECKING:
    from user_client.base_url import BaseURL
    from user_client.calls import Calls
    from user_client.connections import Connections
    from user_client.request import Request


class _Flight:
    """A login under way, and how many wait for it."""

    def __init__(self, credentials: Credentials, connections: Connections, task: asyncio.Task[None]) -> None:
        self.credentials = credentials
        self.connections = connections
        self.task = task
        self.waiting = 0


class Login:
    """The identity of a client that logs in."""

    def __init__(self, base_url: BaseURL) -> None:
        self._base_url = base_url
        self._credentials: Credentials | None = None
        self._secret: Secret | None = None
        self._flight: _Flight | None = None

    def __repr__(self) -> str:
        return f"<Login as {self._credentials.username!r}>" if self._credentials else "<Login as nobody yet>"

    @property
    def token(self) -> str | None:
        return None if self._secret is None else self._secret.reveal().removeprefix("Bearer ")

    def forget(self) -> None:
        self._credentials = self._secret = None

    def require(self, what: object) -> Secret:
        if self._secret is None:
            raise NotAuthenticated(
                f"{what} needs a token, but nobody is logged in; await client.authenticate(username, password) first"
            )
        return self._secret

    # ------------------------------------------------------------ what calls ask for

    def authorization(self, request: Request) -> Secret:
        return self.require(request)

    def changing(self, connections: Connections) -> asyncio.Task[None] | None:
        """The login under way: to send an outdated token meanwhile would only earn another 401."""
        flight = self._under_way(connections)
        return flight.task if flight is not None and self._secret is not None else None

    async def renew(self, rejected: Secret | None, calls: Calls, connections: Connections) -> bool:
        """See that there is another token than the rejected one, by one login for all who ask."""
        while self._credentials is not None and self._secret is rejected:
            flight = self._under_way(connections)
            if flight is None or flight.credentials == self._credentials:
                await self._share(self._credentials, calls, connections)
            else:
                # Somebody else is being logged in; their failure is not ours.
                await asyncio.wait((flight.task,))
        return self._secret is not None

    async def log_in(self, credentials: Credentials, calls: Calls, connections: Connections) -> None:
        """Log in with these credentials; equal ones share a login, others take their turn."""
        while (flight := self._under_way(connections)) is not None and flight.credentials != credentials:
            await asyncio.wait((flight.task,))
        await self._share(credentials, calls, connections)

    async def end(self) -> None:
        """Cancel the login under way, if there is one, and forget who we are."""
        self.forget()
        flight = self._flight
        if flight is not None and flight.connections.loop is asyncio.get_running_loop() and not flight.task.done():
            flight.task.cancel()
            await asyncio.wait((flight.task,))

    # ------------------------------------------------------------ the flight

    def _under_way(self, connections: Connections) -> _Flight | None:
        flight = self._flight
        # One of an event loop that is gone never lands.
        return flight if flight and not flight.task.done() and flight.connections is connections else None

    async def _share(self, credentials: Credentials, calls: Calls, connections: Connections) -> None:
        flight = self._under_way(connections)
        if flight is None or flight.task.cancelling():
            task = asyncio.create_task(self._fly(credentials, calls, connections, flight), name="user_client login")
            flight = self._flight = _Flight(credentials, connections, task)
            task.add_done_callback(self._landed)
        flight.waiting += 1
        try:
            # Not shield(): its inner error is reported as lost when the waiter was cancelled.
            await asyncio.wait((flight.task,))
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                await asyncio.wait((flight.task,))
        _land(flight.task)

    def _landed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # or asyncio reports it as lost, when nobody waits any more
        # Its error holds the frames of the login, and these hold us.
        if self._flight is not None and self._flight.task is task:
            self._flight = None

    async def _fly(
        self, credentials: Credentials, calls: Calls, connections: Connections, before: _Flight | None
    ) -> None:
        if before is not None:
            await asyncio.wait((before.task,))
        request = self._base_url.login(credentials)
        try:
            answer = await calls.call(connections, request)
        except WrongPassword:
            # Once they have been refused, do not try them again at each call: accounts get locked by that.
            if credentials == self._credentials:
                self.forget()
            raise
        secret = _read_token(answer, request)
        self._credentials, self._secret = credentials, secret


def _land(task: asyncio.Task[None]) -> None:
    if task.cancelled():
        raise ClientClosed("the login was cancelled: the client was closed, or its event loop shuts down")
    error = task.exception()
    # Each waiter gets its own: one exception raised in fifty tasks would collect fifty tracebacks.
    if error is not None:
        raise copy.copy(error) if isinstance(error, UserAPIError) else error


def _read_token(answer: object, request: Request) -> Secret:
    token = answer.get("access_token") if isinstance(answer, dict) else None
    # A line break would end the header that it is sent in.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token or " " in token:
        raise ResponseInvalid(f"{request} was not answered with a usable access_token", path=request.path, status=200)
    return Secret(f"Bearer {token}")
