"""The shapes of the API's answers, checked where they enter, and the escaping of what goes out.

A wrong shape is an error here, with its reason, instead of a ``KeyError`` somewhere later.
"""

from __future__ import annotations

from typing import NotRequired, TypeAlias, TypedDict, cast
from urllib.parse import quote

from user_client.errors import InvalidUserId, ResponseInvalid

UserId: TypeAlias = int | str


class User(TypedDict):
    """One user, as the API sends it; fields that this version does not know are kept.

    Pages of ``iterate_users`` hold summaries, which have only ``id`` and ``name``.
    """

    id: int
    name: str
    email: NotRequired[str]
    plan: NotRequired[str]


class UserPage(TypedDict):
    users: list[User]
    next: int | None


def path_segment(user_id: UserId) -> str:
    """The id as one segment of a URL's path; raises :exc:`InvalidUserId` if it cannot be one."""
    # True is an int, and would ask for user 1.
    if isinstance(user_id, bool) or not isinstance(user_id, int | str):
        raise InvalidUserId(f"{user_id!r} is no user id: give an int or a str, not {_kind(user_id)}")
    if isinstance(user_id, int):
        return str(user_id)
    # Percent-encoded dots are dots to every URL parser (RFC 3986, section 6.2.2), so these cannot be escaped.
    if user_id in ("", ".", ".."):
        raise InvalidUserId(f"{user_id!r} is no user id: it would ask for another path than /users/<id>")
    try:
        return quote(user_id, safe="")
    except UnicodeEncodeError:
        raise InvalidUserId(f"{user_id!r} is no user id: it holds a lone surrogate, which has no UTF-8") from None


def read_user(answer: object, path: str) -> User:
    """`answer` itself, if it is a user."""
    reason = _unlike_user(answer)
    if reason:
        raise ResponseInvalid(f"GET {path} was not answered with a user: {reason}", path=path, status=200)
    return cast("User", answer)


def read_users(answer: object, path: str) -> list[User]:
    """`answer` itself, if it is a list of users."""
    reason = _unlike_users(answer)
    if reason:
        raise ResponseInvalid(f"GET {path} was not answered with users: {reason}", path=path, status=200)
    return cast("list[User]", answer)


def read_page(answer: object, path: str, after: int) -> UserPage:
    """`answer` itself, if it is a page of users that leads on."""
    reason = _unlike_page(answer, after)
    if reason:
        raise ResponseInvalid(f"GET {path} was not answered with a page of users: {reason}", path=path, status=200)
    return cast("UserPage", answer)


def _unlike_page(answer: object, after: int) -> str:
    if not isinstance(answer, dict):
        return f"it is {_kind(answer)}, not an object"
    # Not None if it is missing: then a server's slip would end the walk as if these were all the users.
    following = answer.get("next", "")
    if following is not None and type(following) is not int:
        return "its next is missing, or neither an integer nor null"
    if following is not None and following <= after:
        return f"its next is {following}, which does not lead on from {after}"
    return _unlike_users(answer.get("users"))


def _unlike_users(answer: object) -> str:
    if not isinstance(answer, list):
        return f"there is {_kind(answer)} where a list of users belongs"
    for position, each in enumerate(answer):
        reason = _unlike_user(each)
        if reason:
            return f"entry {position}: {reason}"
    return ""


def _unlike_user(answer: object) -> str:
    """Why this is no user; empty if it is one."""
    if not isinstance(answer, dict):
        return f"it is {_kind(answer)}, not an object"
    if type(answer.get("id")) is not int:
        return f"its id is {_kind(answer.get('id'))}, not an integer"
    if type(answer.get("name")) is not str:
        return f"its name is {_kind(answer.get('name'))}, not a string"
    for field in ("email", "plan"):
        if field in answer and type(answer[field]) is not str:
            return f"its {field} is {_kind(answer[field])}, not a string"
    return ""


def _kind(value: object) -> str:
    """Says what it is without showing what is in it."""
    return "null or missing" if value is None else f"of type {type(value).__name__}"
