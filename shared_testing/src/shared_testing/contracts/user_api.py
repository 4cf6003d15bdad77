"""The user API: its endpoints, and the shapes of their bodies.

==========================  =======================================================================
``POST /auth/login``        ``{"username", "password"}`` -> 200 Token, or 401 Problem
``GET /users?after=&limit=``  summaries in the order of their ids -> 200 UserPage
``GET /users/search?q=``    200 list of users whose name holds the text
``GET /users/{id}``         200 User, or 404 Problem
==========================  =======================================================================

Every endpoint but the login answers 401 to a bearer token that it does not know, and may answer
429 or 503 with ``Retry-After``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict


class User(TypedDict):
    id: int
    name: str
    email: NotRequired[str]
    plan: NotRequired[str]


class UserPage(TypedDict):
    users: list[User]
    next: int | None
    """The last id of this page, to be given as ``after``; None on the last page."""


class Token(TypedDict):
    access_token: str
    token_type: str
    expires_in: int


class Problem(TypedDict):
    error: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API, by the name that scripts and findings use."""

    name: str
    method: str
    path: str


LOGIN = Endpoint("LOGIN", "POST", "/auth/login")
LIST_USERS = Endpoint("LIST_USERS", "GET", "/users")
SEARCH_USERS = Endpoint("SEARCH_USERS", "GET", "/users/search")
GET_USER = Endpoint("GET_USER", "GET", r"/users/{id}")
