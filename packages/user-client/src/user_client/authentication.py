"""The client of the user API for those who have to log in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from user_client.client import UserAPIClient
from user_client.credentials import Credentials, Secret
from user_client.login import Login

if TYPE_CHECKING:
    from user_client.connections import Connections


class AuthenticatedAPIClient(UserAPIClient):
    """A :class:`~user_client.UserAPIClient` that logs in, and again when its token is no longer accepted.

    ``await client.authenticate(username, password)`` comes first; calls before it raise
    :exc:`~user_client.NotAuthenticated`. After a 401 the client logs in once, whatever number of calls met
    it, and repeats them. It keeps the password in memory for that; :meth:`close` forgets it and the token.
    Neither is part of any repr, log record or error. The token is sent to the origin of `base_url` alone.
    """

    _login: Login

    @property
    def token(self) -> str | None:
        """The token in use; None before the login and after close()."""
        return self._login.token

    async def authenticate(self, username: str, password: str) -> None:
        """Log in, also anew or as somebody else; opens the client if it was closed.

        Never two logins at once: concurrent calls with equal credentials share one, others wait for their
        turn. Cancelling one of them leaves the login to the others. Raises
        :exc:`~user_client.WrongPassword` when the server refuses the credentials, or another
        :exc:`~user_client.UserAPIError`; whoever was logged in before then still is. A login is not
        idempotent, so it is not retried.
        """
        if not isinstance(username, str) or not isinstance(password, str):
            raise ValueError("authenticate(username, password) takes two strings")  # noqa: TRY004 - as all our argument errors
        credentials = Credentials(username, Secret(password))
        # A traceback that shows locals would show this one.
        del password
        await self.connect()
        await self._login.log_in(credentials, self._calls, self._open())

    def _identity(self) -> Login:
        if self._base_url.authorization is not None:
            raise ValueError("base_url holds credentials, which would take the place of the token; leave them out")
        self._login = Login(self._base_url)
        return self._login

    def _ready(self, what: str) -> Connections:
        connections = super()._ready(what)
        self._login.require(what)
        return connections

    async def _forget(self) -> None:
        await self._login.end()
