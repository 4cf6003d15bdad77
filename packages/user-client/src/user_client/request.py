"""One request, as the rest of the package hands it around."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from user_client.errors import RequestRefused

if TYPE_CHECKING:
    from user_client.credentials import Credentials
    from user_client.errors import UserAPIError


@dataclass(slots=True)
class Request:
    """What to ask the server; ``str()`` of it is what errors call it."""

    path: str
    """Percent-encoded, with the prefix that base_url has; without the query."""
    url: str = field(repr=False)
    missing: type[UserAPIError] = RequestRefused
    """What a 404 means here."""
    login: Credentials | None = None
    """With these credentials it is a login: a POST, which is not repeated and carries no token."""

    def __str__(self) -> str:
        return f"{'GET' if self.login is None else 'POST'} {self.path}"
