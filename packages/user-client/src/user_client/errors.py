"""What can go wrong, as one small tree.

::

    aiohttp.ClientError
    └── UserAPIError                 .path .status .server_message
        ├── RequestRefused           4xx: asking again in the same way will not help
        │   ├── UserNotFound         404 for a user
        │   ├── RateLimited          429; .retry_after in seconds
        │   └── AuthenticationFailed 401: the server wants a (different) login
        │       └── WrongPassword    the login itself was refused
        ├── ServerUnavailable        5xx
        │   └── ConnectionFailed     no whole answer: refused, reset, cut, TLS (aiohttp.ClientConnectionError too)
        ├── RequestTimedOut          TimeoutError too
        ├── ResponseInvalid          not what the API promises
        │   └── ResponseTooLarge
        ├── RedirectRefused          the answer points to another origin
        ├── SomeUsersFailed          .users that arrived, .errors by id
        │   └── SomeUsersTimedOut    RequestTimedOut too
        ├── NotAuthenticated         ValueError too
        ├── InvalidUserId            ValueError too
        └── ClientClosed             RuntimeError too

Errors hold words and numbers, never a response, a request or its headers: aiohttp's own
``ClientResponseError`` prints the Authorization header in its repr. They can be pickled and copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from user_client.users import User, UserId

_SHOWN = 3


class UserAPIError(aiohttp.ClientError):
    """A call of the user API failed."""

    def __init__(self, message: str, *, path: str = "", status: int | None = None, server_message: str = "") -> None:
        # One positional argument, the rest as attributes: that is the form in which exceptions pickle.
        super().__init__(message)
        self.path = path
        """The path of the URL, percent-encoded; without its query."""
        self.status = status
        """The HTTP status of the answer; None when there was no answer, or it does not matter."""
        self.server_message = server_message
        """What the server said about it, shortened; empty if it said nothing."""


class RequestRefused(UserAPIError):
    """The server answered 4xx."""


class UserNotFound(RequestRefused):
    """There is no user with this id."""


class RateLimited(RequestRefused):
    """The server answered 429, and waiting did not help or would have taken too long."""

    retry_after: float | None = None
    """The seconds that the server wants us to wait, if it said so."""


class AuthenticationFailed(RequestRefused):
    """The server did not accept the token, or wants one."""


class WrongPassword(AuthenticationFailed):
    """The server refused the user name and password."""


class ServerUnavailable(UserAPIError):
    """The server answered 5xx."""

    retry_after: float | None = None
    """The seconds that the server wants us to wait, if it said so."""


class ConnectionFailed(ServerUnavailable, aiohttp.ClientConnectionError):
    """There was no connection, or it broke before the answer was complete."""


class RequestTimedOut(UserAPIError, TimeoutError):
    """The deadline of the call passed."""


class ResponseInvalid(UserAPIError):
    """The answer is not what the API promises: not JSON, or not of the right shape."""


class ResponseTooLarge(ResponseInvalid):
    """The answer is larger than ``max_body``, as sent or decompressed."""


class RedirectRefused(UserAPIError):
    """The server redirects to another origin, or in circles."""


class NotAuthenticated(UserAPIError, ValueError):
    """The call needs a login, and ``authenticate()`` has not succeeded yet."""


class InvalidUserId(UserAPIError, ValueError):
    """This value cannot name a user."""


class ClientClosed(UserAPIError, RuntimeError):
    """The client was closed before, or during, the call."""


class SomeUsersFailed(UserAPIError):
    """``fetch_multiple_users`` could not get all of them."""

    users: list[User]
    """Those that did arrive, each once, in the order of their ids in the call."""
    errors: dict[UserId, UserAPIError]
    """What went wrong, by id as it was given."""

    @classmethod
    def of(cls, users: Sequence[User], errors: Mapping[UserId, UserAPIError]) -> SomeUsersFailed:
        shown = [f"{user_id}: {type(error).__name__}: {error}" for user_id, error in list(errors.items())[:_SHOWN]]
        more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
        failure = cls(
            f"{len(errors)} of {len(users) + len(errors)} users could not be fetched ({'; '.join(shown)}{more}); "
            ".users has those that arrived, .errors the reasons by id"
        )
        failure.users = list(users)
        failure.errors = dict(errors)
        return failure


class SomeUsersTimedOut(SomeUsersFailed, RequestTimedOut):
    """The deadline passed before all users were there."""
