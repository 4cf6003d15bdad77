"""The address of the API, checked once, and the requests to it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from yarl import URL

from user_client.credentials import Credentials, Secret
from user_client.errors import RequestRefused, UserNotFound
from user_client.request import Request
from user_client.users import UserId, path_segment

if TYPE_CHECKING:
    from collections.abc import Mapping


class BaseURL:
    """``scheme://host/prefix``, without a slash at its end and without credentials.

    Credentials in the URL become `authorization`, and are not shown by anything.
    """

    def __init__(self, text: str) -> None:
        url = _parse(text)
        self.authorization = (
            _basic(url.user, url.password) if url.user is not None or url.password is not None else None
        )
        self._prefix = url.raw_path.rstrip("/")
        self._origin = str(url.origin())

    def __str__(self) -> str:
        return self._origin + self._prefix

    def user(self, user_id: UserId) -> Request:
        return self._request(f"/users/{path_segment(user_id)}", missing=UserNotFound)

    def search(self, query: str) -> Request:
        return self._request("/users/search", {"q": query})

    def page(self, after: int, limit: int) -> Request:
        return self._request("/users", {"after": after, "limit": limit})

    def login(self, credentials: Credentials) -> Request:
        return self._request("/auth/login", login=credentials)

    def _request(
        self,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        missing: type[RequestRefused] = RequestRefused,
        login: Credentials | None = None,
    ) -> Request:
        path = self._prefix + path
        question = f"?{urlencode(query)}" if query else ""
        return Request(path, f"{self._origin}{path}{question}", missing, login)


def _parse(text: str) -> URL:
    """Errors do not quote the text: it may hold a password."""
    if not isinstance(text, str | URL):
        raise ValueError(  # noqa: TRY004 - one kind of error for any unusable base_url
            f"base_url is a {type(text).__name__}; give a str such as 'https://api.example.com'"
        )
    try:
        url = URL(text)
        url.port  # noqa: B018 - a port that is no number is found when it is asked for
    except ValueError:
        raise ValueError("base_url is not a URL; give one such as 'https://api.example.com'") from None
    if url.scheme not in ("http", "https"):
        raise ValueError(f"base_url has the scheme {url.scheme!r}; it must begin with http:// or https://")
    if not url.raw_host:
        raise ValueError("base_url names no host; give one such as 'https://api.example.com'")
    if url.raw_query_string or url.raw_fragment or "?" in str(text) or "#" in str(text):
        raise ValueError("base_url has a query or a fragment; leave out what begins with '?' or '#'")
    return url


def _basic(user: str | None, password: str | None) -> Secret:
    pair = f"{user or ''}:{password or ''}"
    return Secret("Basic " + base64.b64encode(pair.encode()).decode("ascii"))
