"""Walk through all users, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from user_client.users import User, UserPage


class UserPages:
    """What ``iterate_users()`` returns: an async iterator over users.

    Not an async generator, so a loop that is left in the middle leaves nothing to be closed. One task at a
    time may iterate. After an error, or a cancelled wait, the next step asks for the same page again.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[UserPage]], after: int) -> None:
        if isinstance(after, bool) or not isinstance(after, int):
            raise ValueError(f"after={after!r}: give the id of a user, or 0 to start with the first")  # noqa: TRY004 - as all our argument errors
        self._fetch = fetch
        self._users: list[User] = []
        self._following: int | None = after
        self._is_fetching = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> User:
        while not self._users:
            if self._following is None:
                raise StopAsyncIteration
            await self._turn(self._following)
        return self._users.pop()

    async def aclose(self) -> None:
        """End the walk, for those who use ``contextlib.aclosing``; there is nothing to close."""
        self._users = []
        self._following = None

    async def _turn(self, after: int) -> None:
        if self._is_fetching:
            raise RuntimeError("two tasks iterate over the same iterate_users(); give each an iterator of its own")
        self._is_fetching = True
        try:
            page = await self._fetch(after)
        finally:
            self._is_fetching = False
        # Reversed, since a list gives up its end cheaply, and each user is let go as soon as it was handed out.
        self._users = page["users"][::-1]
        self._following = page["next"]
