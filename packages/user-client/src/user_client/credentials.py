"""What must not be seen: tokens and passwords, and taking them out of other people's words."""

from __future__ import annotations

from dataclasses import dataclass

_LEAST_REDACTED = 8


class Secret:
    """A string that no repr, log or traceback shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "<hidden>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def reveal(self) -> str:
        return self._text

    def redact(self, text: str) -> str:
        """`text` without this secret: servers like to quote what they refuse.

        Short ones stay: they are found in ordinary words, and the gaps would tell more than they hide.
        """
        return text.replace(self._text, repr(self)) if len(self._text) >= _LEAST_REDACTED else text


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str
    password: Secret
