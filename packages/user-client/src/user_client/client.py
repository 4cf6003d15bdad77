"""The client of the user API."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import aiohttp

from user_client.base_url import BaseURL
from user_client.calls import Anonymous, Calls, Identity
from user_client.connections import Connections, check_session, discard
from user_client.errors import ClientClosed
from user_client.pages import UserPages
from user_client.retry import RetryPolicy
from user_client.several_users import fetch_outcomes, in_order, raise_failures
from user_client.users import User, UserId, path_segment, read_page, read_user, read_users

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from types import TracebackType

    from user_client.errors import UserAPIError
    from user_client.request import Request
    from user_client.users import UserPage

MAX_BODY = 8 * 1024 * 1024


class UserAPIClient:
    """Fetches users: pooled connections, bounded, retried, with a deadline on each call.

    Made anywhere, used in one event loop at a time. The first call opens a session, which all later calls
    share. It is closed by :meth:`close` or ``async with``; failing that, when the client is garbage or its
    event loop shuts down. All methods may be called concurrently, and cancelled at any point: a cancelled
    call leaves no request, connection or permit behind. Whatever goes wrong with the API is a
    :exc:`~user_client.UserAPIError`, which is an ``aiohttp.ClientError``.

    `base_url`: with a path prefix if the API has one. Credentials in it are sent as Basic authentication.
    `timeout`: seconds for one call, waiting for its turn and all retries included.
    `max_concurrent`: how many requests may be under way, over all calls of this client.
    `retry`: see :class:`~user_client.RetryPolicy`.
    `max_body`: the most bytes of an answer, as sent and as decompressed.
    `middlewares` (aiohttp 3.12 and later), `trace_configs`: handed to ``aiohttp.ClientSession``; they see each
    try by itself, below our retries and login.
    `session_factory`: makes the session, ``aiohttp.ClientSession`` by default; is called with keyword arguments
    for it, which it must pass on, changed where it wants.

    Raises ``ValueError`` for arguments that make no sense.
    """

    def __init__(
        self,
        base_url: str,
        timeout: float = 10,
        *,
        max_concurrent: int = 10,
        retry: RetryPolicy | None = None,
        max_body: int = MAX_BODY,
        middlewares: Sequence[Any] = (),
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        session_factory: Callable[..., aiohttp.ClientSession] | None = None,
    ) -> None:
        self._base_url = BaseURL(base_url)
        self._max_concurrent = _whole("max_concurrent", max_concurrent)
        self._middlewares = tuple(middlewares)
        self._trace_configs = list(trace_configs)
        self._session_factory = session_factory
        self._connections: Connections | None = None
        self._is_closed = False
        self._calls = Calls(self._identity(), retry or RetryPolicy(), _seconds(timeout), _whole("max_body", max_body))

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "open" if self._connections is not None else "not opened yet"
        return f"<{type(self).__name__} {self._base_url} {state}>"

    @property
    def base_url(self) -> str:
        """Without credentials, and without a slash at its end."""
        return str(self._base_url)

    @property
    def timeout(self) -> float:
        """Seconds for one call."""
        return self._calls.timeout

    @property
    def retries(self) -> int:
        """How many times a request was repeated so far."""
        return self._calls.repeated

    # ------------------------------------------------------------ life

    async def connect(self) -> None:
        """Open the session now, instead of in the first call. Does nothing when it is open; reopens after close()."""
        self._is_closed = False
        self._open()

    async def close(self) -> None:
        """Close the session; calls that are under way fail with :exc:`~user_client.ClientClosed`, and so do later ones.

        May be called again, and before anything was opened. :meth:`connect` opens the client anew.
        """
        connections = self._connections
        if connections is not None and connections.usable:
            _check_loop(connections)
        self._is_closed = True
        self._connections = None
        try:
            if connections is not None and not connections.loop.is_closed():
                await connections.close()
        finally:
            await self._forget()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------ users

    async def fetch_user(self, user_id: UserId) -> User:
        """The user with this id.

        Raises :exc:`~user_client.UserNotFound`, :exc:`~user_client.RequestTimedOut` or another
        :exc:`~user_client.UserAPIError`. The id is escaped, so it cannot reach another path.
        """
        request = self._base_url.user(user_id)
        return read_user(await self._call(request), request.path)

    @overload
    async def fetch_multiple_users(
        self, user_ids: Iterable[UserId], *, return_errors: Literal[False] = ..., timeout: float | None = ...
    ) -> list[User]: ...

    @overload
    async def fetch_multiple_users(
        self, user_ids: Iterable[UserId], *, return_errors: bool, timeout: float | None = ...
    ) -> list[User | UserAPIError]: ...

    async def fetch_multiple_users(
        self, user_ids: Iterable[UserId], *, return_errors: bool = False, timeout: float | None = None
    ) -> list[Any]:
        """The users with these ids, in the same order; an id that occurs twice is fetched once.

        All are tried, whatever becomes of the others. If some failed, raises
        :exc:`~user_client.SomeUsersFailed` with ``.users`` (those that arrived) and ``.errors`` (by id); with
        `return_errors` it returns instead, with the error in the place of its user. What cannot be an id raises
        :exc:`~user_client.InvalidUserId` before anything is sent.

        `timeout`: seconds for the whole call, however many ids; by default that of the client, which each user has
        for itself as well. When it passes, the users that are missing count as failed. Cancellation ends all the
        requests before it returns.
        """
        self._ready("fetch_multiple_users()")
        seconds = self.timeout if timeout is None else _seconds(timeout)
        ids = [(user_id, path_segment(user_id)) for user_id in _iterable(user_ids)]
        distinct = {segment: user_id for user_id, segment in ids}
        # fetch_user as it is now: a subclass, or a test, may have replaced it.
        outcomes = await fetch_outcomes(distinct, self.fetch_user, self._max_concurrent, seconds)
        if not return_errors:
            raise_failures(ids, outcomes)
        return in_order(ids, outcomes)

    async def search_users(self, query: str) -> list[User]:
        """The users whose name holds the text."""
        if not isinstance(query, str):
            raise ValueError(  # noqa: TRY004 - as all our argument errors
                f"search_users({query!r}): give a str, not {type(query).__name__}"
            )
        request = self._base_url.search(query)
        return read_users(await self._call(request), request.path)

    def iterate_users(self, page_size: int = 100, after: int = 0) -> UserPages:
        """``async for user in client.iterate_users()``: summaries of all users, in the order of their ids.

        Asks for a page when the one before is used up, so memory does not grow, and a loop that is left early
        leaves nothing behind. `page_size` is 1 to 1000; `after` starts behind that id. Each page is one call,
        with its own deadline and retries; its errors come out of the loop.
        """

        async def fetch(after: int) -> UserPage:
            request = self._base_url.page(after, page_size)
            return read_page(await self._call(request), request.path, after)

        _page_size(page_size)
        return UserPages(fetch, after)

    # ------------------------------------------------------------ inside

    def _identity(self) -> Identity:
        return Anonymous(self._base_url.authorization)

    def _call(self, request: Request) -> Coroutine[Any, Any, Any]:
        return self._calls.call(self._open(), request)

    def _ready(self, what: str) -> Connections:  # noqa: ARG002 - for the client that logs in
        """Open, and able to make calls; raises what would fail them all."""
        return self._open()

    async def _forget(self) -> None:
        """What close() has to do besides, for the client that logs in."""

    def _open(self) -> Connections:
        if self._is_closed:
            raise ClientClosed(f"{self!r} was closed; await connect() to open it again, or make another client")
        connections = self._connections
        if connections is None or not connections.usable:
            connections = Connections(self._make_session(), self._max_concurrent)
            if self._session_factory is not None:
                check_session(connections.session, self._max_concurrent)
            self._connections = connections
        else:
            _check_loop(connections)
        return connections

    def _make_session(self) -> aiohttp.ClientSession:
        # Looked up at each call: tests patch aiohttp.ClientSession.
        factory = self._session_factory or aiohttp.ClientSession
        # Our permits are the only queue, see permits.py.
        connector = aiohttp.TCPConnector(limit=0)
        options: dict[str, Any] = {
            "connector": connector,
            # Ours is the only deadline.
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=None),
            # One user's cookies would go out with the next user's token.
            "cookie_jar": aiohttp.DummyCookieJar(),
            # Decompressed under our limit, see bodies.py.
            "auto_decompress": False,
            "headers": {"Accept": "application/json", "Accept-Encoding": "gzip"},
        }
        if self._trace_configs:
            options["trace_configs"] = self._trace_configs
        if self._middlewares:
            options["middlewares"] = self._middlewares
        session = factory(**options)
        if session.connector is not connector:
            discard(connector)
        return session


def _check_loop(connections: Connections) -> None:
    if connections.loop is not asyncio.get_running_loop():
        raise RuntimeError(
            "this client is open in another event loop; close() it there first, or make one client per event loop"
        )


def _seconds(timeout: float) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
        raise ValueError(f"timeout={timeout!r}: give a number of seconds above 0; every call has a deadline")
    return timeout


def _whole(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r}: give a whole number, 1 or more")
    return value


def _page_size(value: int) -> int:
    if _whole("page_size", value) > 1000:
        raise ValueError(f"page_size={value}: the API gives at most 1000 users at once")
    return value


def _iterable(user_ids: Iterable[UserId]) -> Iterable[UserId]:
    if isinstance(user_ids, str | bytes):
        raise ValueError(  # noqa: TRY004 - as all our argument errors
            f"fetch_multiple_users({user_ids!r}): give a list of ids; a str would be read letter by letter"
        )
    return user_ids
