"""The error tree: its shape, and that its members travel."""

from __future__ import annotations

import copy
import pickle

import aiohttp
import pytest

import user_client
from user_client import (
    ClientClosed,
    ConnectionFailed,
    InvalidUserId,
    NotAuthenticated,
    RateLimited,
    RequestTimedOut,
    SomeUsersFailed,
    SomeUsersTimedOut,
    UserAPIError,
    UserNotFound,
)

ALL = [
    each
    for each in (getattr(user_client, name) for name in user_client.__all__)
    if isinstance(each, type) and issubclass(each, Exception)
]


def test_there_is_one_tree() -> None:
    """Whoever catches UserAPIError, or aiohttp's ClientError, catches all of them."""
    assert len(ALL) == 17
    assert all(issubclass(each, UserAPIError) for each in ALL)
    assert issubclass(UserAPIError, aiohttp.ClientError)


@pytest.mark.parametrize(
    ("ours", "standard"),
    [
        (RequestTimedOut, TimeoutError),
        (SomeUsersTimedOut, TimeoutError),
        (SomeUsersTimedOut, SomeUsersFailed),
        (NotAuthenticated, ValueError),
        (InvalidUserId, ValueError),
        (ClientClosed, RuntimeError),
        (ConnectionFailed, aiohttp.ClientConnectionError),
    ],
)
def test_errors_are_what_one_would_expect_in_python(ours: type, standard: type) -> None:
    """An except clause for the standard kind catches ours."""
    assert issubclass(ours, standard)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_pickling_and_copying(kind: type[UserAPIError]) -> None:
    """With its text, its attributes and its notes."""
    error = kind("what happened", path="/users/1", status=418, server_message="teapot")
    error.add_note("a note")
    if isinstance(error, RateLimited):
        error.retry_after = 7.0
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert str(other) == "what happened"
        assert vars(other) == vars(error)


def test_a_long_list_of_failures_is_told_in_short() -> None:
    """The text names the first three ids and counts the rest."""
    error = SomeUsersFailed.of([{"id": 9, "name": "A"}], {number: UserNotFound("gone") for number in range(5)})
    assert str(error) == (
        "5 of 6 users could not be fetched (0: UserNotFound: gone; 1: UserNotFound: gone; 2: UserNotFound: gone; "
        "and 2 more); .users has those that arrived, .errors the reasons by id"
    )
