"""One request and its answer: what is sent, and what each answer means.

Whatever aiohttp raises is translated, and raised outside of the ``except`` block: aiohttp's errors hold the
headers that were sent, and even ``from None`` leaves them reachable as ``__context__``.
"""

from __future__ import annotations

import inspect
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from user_client.bodies import one_line, read_json, read_problem
from user_client.credentials import Secret
from user_client.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    RateLimited,
    RedirectRefused,
    RequestRefused,
    RequestTimedOut,
    ResponseInvalid,
    ServerUnavailable,
    UserAPIError,
    WrongPassword,
)
from user_client.retry import read_retry_after

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractAsyncContextManager

    from user_client.credentials import Credentials
    from user_client.request import Request

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


async def exchange(session: aiohttp.ClientSession, request: Request, secret: Secret | None, max_body: int) -> Any:
    """The JSON value that answers the request; every failure is a :exc:`UserAPIError`.

    `secret` is the value of the Authorization header. It goes to the origin of the request and nowhere else.
    """
    url = request.url
    try:
        for _ in range(1 + _MOST_REDIRECTS):
            async with _send(session, request, url, secret) as response:
                # A stand-in from unittest.mock may have no real status, so nothing here compares it by size.
                if response.status not in _REDIRECTS:
                    return await _judge(response, request, secret, max_body)
                url = _target(response, url, request)
    except UserAPIError:
        raise
    except TimeoutError:
        failure: UserAPIError = RequestTimedOut(f"{request}: the connection was silent for too long", path=request.path)
    except aiohttp.ClientResponseError as error:
        failure = _of_response_error(error, request, secret)
    except (aiohttp.ClientError, OSError) as error:
        reason = _hide(f"{type(error).__name__}: {error}", request, secret)
        failure = ConnectionFailed(f"{request} got no whole answer: {reason}", path=request.path)
    else:
        failure = RedirectRefused(f"{request} was redirected more than {_MOST_REDIRECTS} times", path=request.path)
    raise failure


def _send(
    session: aiohttp.ClientSession, request: Request, url: str, secret: Secret | None
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    # A str would be quoted anew, which undoes what is optional: %3B would become a ";" that some servers split at.
    target = URL(url, encoded=True) if "%" in url else url
    # aiohttp would follow redirects to any origin, and takes only the Authorization header out on the way.
    # No secret is a local of this frame: tracebacks can show those.
    if request.login is not None:
        return session.post(target, json=_login_body(request.login), allow_redirects=False)
    return session.get(
        target, headers=None if secret is None else {"Authorization": secret.reveal()}, allow_redirects=False
    )


def _login_body(credentials: Credentials) -> dict[str, str]:
    return {"username": credentials.username, "password": credentials.password.reveal()}


def _judge(
    response: aiohttp.ClientResponse, request: Request, secret: Secret | None, max_body: int
) -> Coroutine[Any, Any, Any]:
    # type() and not isinstance(): MagicMock(spec=ClientResponse) claims to be one, but has no body to read.
    if not issubclass(type(response), aiohttp.ClientResponse):
        return _ask_stand_in(response)
    if response.ok:
        return read_json(response, max_body, request)
    return _refuse(response, request, secret)


async def _refuse(response: aiohttp.ClientResponse, request: Request, secret: Secret | None) -> NoReturn:
    message = _hide(await _problem(response, request), request, secret)
    retry_after = read_retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
    raise _refusal(request, response.status, message, retry_after)


async def _ask_stand_in(response: Any) -> Any:
    """Believe what is not aiohttp's own: ``ClientSession.get`` is often patched with a mock that knows just this."""
    verdict = response.raise_for_status()
    if inspect.isawaitable(verdict):
        await verdict
    return await response.json()


async def _problem(response: aiohttp.ClientResponse, request: Request) -> str:
    try:
        return await read_problem(response, request)
    except (aiohttp.ClientError, OSError):
        # The status is known, and says more than that the rest of the answer is missing.
        return ""


def _refusal(request: Request, status: int, message: str, retry_after: float | None) -> UserAPIError:
    said = f": {message}" if message else ""
    text = f"{request} was answered by {status} {_phrase(status)}{said}"
    kind = _kind(request, status)
    failure = kind(text, path=request.path, status=status, server_message=message)
    if isinstance(failure, RateLimited | ServerUnavailable):
        failure.retry_after = retry_after
    return failure


def _kind(request: Request, status: int) -> type[UserAPIError]:
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationFailed if request.login is None else WrongPassword
    if status == HTTPStatus.NOT_FOUND:
        return request.missing
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited
    return ServerUnavailable if status >= HTTPStatus.INTERNAL_SERVER_ERROR else RequestRefused


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(unknown status)"


def _of_response_error(error: aiohttp.ClientResponseError, request: Request, secret: Secret | None) -> UserAPIError:
    message = _hide(error.message, request, secret)
    # aiohttp says 400 when the server's bytes are not HTTP, and names the parser's error as the cause.
    if error.__cause__ is not None or error.status < HTTPStatus.BAD_REQUEST:
        return ResponseInvalid(f"{request} was not answered in HTTP: {message}", path=request.path)
    return _refusal(request, error.status, message, None)


def _target(response: aiohttp.ClientResponse, url: str, request: Request) -> str:
    """Where a redirect leads, if that is the same origin."""
    try:
        target = URL(urljoin(url, response.headers.get("Location", "")))
        if target.origin() == URL(url).origin() and request.login is None and target.user is None:
            return str(target.with_fragment(None))
        where = str(target.origin())
    except ValueError:
        where = "an invalid URL"
    raise RedirectRefused(
        f"{request} was answered by {response.status}, a redirect to {where}; it is not followed, so that neither "
        "the token nor the question reaches a stranger. If the API has moved, change base_url",
        path=request.path,
        status=response.status,
    )


def _hide(text: str, request: Request, secret: Secret | None) -> str:
    if secret is not None:
        _, _, token = secret.reveal().partition(" ")
        text = Secret(token).redact(text)
    if request.login is not None:
        text = request.login.password.redact(text)
    return one_line(text)
