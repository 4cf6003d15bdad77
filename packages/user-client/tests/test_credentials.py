"""Secrets that keep themselves."""

from __future__ import annotations

from user_client.credentials import Credentials, Secret


def test_a_secret_shows_itself_only_when_asked() -> None:
    """repr, str and format are the same for all secrets."""
    secret = Secret("abcdefgh")
    assert f"{secret} {secret!r} {[secret]}" == "<hidden> <hidden> [<hidden>]"
    assert repr(Credentials("me", secret)) == "Credentials(username='me', password=<hidden>)"
    assert secret.reveal() == "abcdefgh"


def test_equal_secrets_are_equal() -> None:
    """Two logins with the same credentials can be told to be the same."""
    assert Credentials("me", Secret("a")) == Credentials("me", Secret("a"))
    assert Credentials("me", Secret("a")) != Credentials("me", Secret("b"))
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_a_short_secret_is_not_cut_out_of_ordinary_words() -> None:
    """With the password "wrong", the message "wrong password" would give it away by its gap."""
    assert Secret("wrong").redact("wrong password") == "wrong password"
    assert Secret("abcdefgh").redact("token abcdefgh expired") == "token <hidden> expired"
    assert Secret("").redact("text") == "text"
