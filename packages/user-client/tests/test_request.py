"""What a request is called, and what it keeps to itself."""

from __future__ import annotations

from user_client.credentials import Credentials, Secret
from user_client.request import Request


def test_a_request_shows_neither_its_question_nor_a_password() -> None:
    """str() is for errors and logs; repr() for debuggers."""
    request = Request("/users/search", "https://api.example.com/users/search?q=name")
    assert str(request) == "GET /users/search"
    assert "q=name" not in repr(request)
    login = Request("/auth/login", "https://api.example.com/auth/login", login=Credentials("me", Secret("s3cret")))
    assert str(login) == "POST /auth/login"
    assert "s3cret" not in repr(login)
