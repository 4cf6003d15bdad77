"""Shapes and escaping, for any value there is."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from yarl import URL

from user_client import InvalidUserId, ResponseInvalid
from user_client.users import path_segment, read_page, read_user, read_users

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "email", "users", "next"]), inner, max_size=5)
    ),
    max_leaves=8,
)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_one_segment_and_comes_back_as_it_was(user_id: str) -> None:
    """No id adds a segment, a query or a fragment to the URL, and the server reads the same text."""
    assume(user_id not in ("", ".", ".."))
    segment = path_segment(user_id)
    url = URL(f"https://api.example.com/users/{segment}", encoded=True)
    assert url.raw_path == f"/users/{segment}"
    assert len(url.raw_parts) == 3
    assert not url.raw_query_string
    assert not url.raw_fragment
    assert unquote(segment) == user_id


@given(st.integers())
def test_a_number_is_its_digits(user_id: int) -> None:
    """Negative ones too; the server knows best."""
    assert path_segment(user_id) == str(user_id)


@given(st.none() | st.booleans() | st.floats() | st.binary() | st.lists(st.integers()))
def test_what_is_neither_text_nor_a_number_is_no_id(user_id: Any) -> None:
    """True is an int to Python, but not an id."""
    with pytest.raises(InvalidUserId):
        path_segment(user_id)


@given(json_values)
def test_a_user_has_an_id_and_a_name_or_is_none(answer: Any) -> None:
    """Whatever JSON arrives: either a user that keeps its promise, or ResponseInvalid, never another error."""
    try:
        user = read_user(answer, "/users/1")
    except ResponseInvalid:
        assert (
            not isinstance(answer, dict)
            or (type(answer.get("id")), type(answer.get("name"))) != (int, str)
            or (type(answer.get("email", "")) is not str)
        )
    else:
        assert user is answer
        assert type(user["id"]) is int
        assert type(user["name"]) is str
        assert type(user.get("email", "")) is str


@given(json_values)
def test_lists_and_pages_keep_their_promise_or_are_errors(answer: Any) -> None:
    """The same for what a search and a page bring."""
    with contextlib.suppress(ResponseInvalid):
        assert all(type(user["id"]) is int for user in read_users(answer, "/users/search"))
    with contextlib.suppress(ResponseInvalid):
        assert all(type(user["id"]) is int for user in read_page(answer, "/users", 0)["users"])


def test_an_error_does_not_quote_the_answer() -> None:
    """It may hold what is not for logs."""
    with pytest.raises(ResponseInvalid) as caught:
        read_user({"id": 1, "name": ["secret"]}, "/users/1")
    assert "secret" not in str(caught.value)
