"""The user API: its endpoints, and the shapes of their bodies.

==========================  =======================================================================
``POST /auth/login``        ``{"username", "password"}`` -> 200 Token, or 401 Problem
``GET /users?after=&limit=``  summaries in the order of their ids -> 200 UserPage
``GET /users/search?q=``    200 list of users whose name holds the text, in any case
``GET /users/{id}``         200 User, or 404 Problem
==========================  =======================================================================

Every endpoint but the login answers 401 to a bearer token that it does not know. Each answers 422 to a request that it
cannot read, may answer 429 with ``Retry-After``, and 500 to 504 with whatever stands between.
"""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

from shared_testing.contracts.contract import Contract, Endpoint, Promise
from shared_testing.contracts.shape import Between

UserId = Annotated[int, Between(1)]


class User(TypedDict):
    id: UserId
    name: str
    email: NotRequired[str]
    plan: NotRequired[str]


class UserPage(TypedDict):
    users: list[User]
    next: UserId | None
    """The last id of this page, to be given as ``after``; None on the last page."""


class Token(TypedDict):
    access_token: str
    token_type: str
    expires_in: Annotated[int, Between(0)]


class Problem(TypedDict):
    error: str


class Credentials(TypedDict):
    username: str
    password: str


class Page(TypedDict):
    after: NotRequired[Annotated[int, Between(0)]]
    limit: NotRequired[Annotated[int, Between(1, 1000)]]


class Search(TypedDict):
    q: str


_ANY_TIME = {
    429: Promise("too many requests", Problem, headers=("Retry-After",)),
    500: Promise("internal error"),
    502: Promise("bad gateway"),
    503: Promise("not available"),
    504: Promise("gateway timeout"),
}
_UNREADABLE = {422: Promise("the request cannot be read", Problem)}
_STRANGER = {401: Promise("token missing, unknown or expired", Problem)}

LOGIN = Endpoint(
    "LOGIN",
    "POST",
    "/auth/login",
    {200: Promise("logged in", Token), 401: Promise("wrong name or password", Problem), **_UNREADABLE, **_ANY_TIME},
    body=Credentials,
    needs_token=False,
    example={"username": "testuser", "password": "testpass"},
)
LIST_USERS = Endpoint(
    "LIST_USERS",
    "GET",
    "/users",
    {200: Promise("a page of summaries", UserPage), **_STRANGER, **_UNREADABLE, **_ANY_TIME},
    query=Page,
)
SEARCH_USERS = Endpoint(
    "SEARCH_USERS",
    "GET",
    "/users/search",
    {200: Promise("whose name holds the text", list[User]), **_STRANGER, **_UNREADABLE, **_ANY_TIME},
    query=Search,
)
GET_USER = Endpoint(
    "GET_USER",
    "GET",
    "/users/{id}",
    {200: Promise("the user", User), 404: Promise("no such user", Problem), **_STRANGER, **_ANY_TIME},
)

USER_API = Contract("User API", "1.0", (LOGIN, LIST_USERS, SEARCH_USERS, GET_USER))
