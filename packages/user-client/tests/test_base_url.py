"""The address of the API: what is accepted, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from user_client import UserAPIClient
from user_client.base_url import BaseURL
from user_client.credentials import Credentials, Secret


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com/v2//", "https://api.example.com/v2"),
        ("http://api.example.com:8080/a%2Fb/v2/", "http://api.example.com:8080/a%2Fb/v2"),
        ("HTTP://API.example.com:80/", "http://api.example.com"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://b\u00fccher.example", "http://xn--bcher-kva.example"),
        ("http://me:s3cret@api.example.com/v2", "http://api.example.com/v2"),
    ],
)
def test_a_prefix_is_kept_and_a_slash_at_the_end_is_not(given_url: str, kept: str) -> None:
    """Requests go to the prefix, with one slash between."""
    base_url = BaseURL(given_url)
    assert str(base_url) == kept
    assert base_url.user(1).url == f"{kept}/users/1"
    assert base_url.user("a/b").path == URL(kept).raw_path.rstrip("/") + "/users/a%2Fb"
    assert base_url.page(5, 10).url == f"{kept}/users?after=5&limit=10"
    assert base_url.login(Credentials("me", Secret("x"))).url == f"{kept}/auth/login"


@pytest.mark.parametrize(
    "wrong",
    [
        "", "api.example.com", "ftp://me:s3cret@api.example.com", "//api.example.com", "http://", "http:///users",
        "http://api.example.com?key=s3cret", "http://api.example.com#s3cret", "http://api.example.com?",
        "http://me:s3cret@api.example.com:port", None, 5, b"http://api.example.com", "http://[s3cret",
    ],
)  # fmt: skip
def test_what_is_no_base_url_is_refused_unquoted(wrong: Any) -> None:
    """The error tells what is wrong, without the text: it may hold a password."""
    with pytest.raises(ValueError, match="base_url") as caught:
        UserAPIClient(wrong)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.text())
def test_any_text_makes_a_question_that_comes_back_as_it_was(query: str) -> None:
    """What is searched for cannot become another parameter."""
    if any("\ud800" <= each <= "\udfff" for each in query):
        return
    url = URL(BaseURL("https://api.example.com").search(query).url, encoded=True)
    assert list(url.query.items()) == [("q", query)]


def test_a_request_is_called_by_its_method_and_path() -> None:
    """The question, which may be confidential, is not part of the name."""
    base_url = BaseURL("https://api.example.com/v2")
    assert str(base_url.search("secret")) == "GET /v2/users/search"
    assert str(base_url.login(Credentials("me", Secret("x")))) == "POST /v2/auth/login"
    assert "secret" not in repr(base_url.search("secret"))
