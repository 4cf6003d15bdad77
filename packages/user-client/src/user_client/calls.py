"""Whole calls: permit, login, tries and the waits between them, all before one deadline."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from user_client.errors import (
    AuthenticationFailed,
    ClientClosed,
    ConnectionFailed,
    RateLimited,
    RequestTimedOut,
    ServerUnavailable,
    UserAPIError,
)
from user_client.exchange import exchange
from user_client.retry import RetryBudget
from user_client.time_limit import TimeLimit

if TYPE_CHECKING:
    from user_client.connections import Connections
    from user_client.credentials import Secret
    from user_client.request import Request
    from user_client.retry import RetryPolicy

_log = logging.getLogger("user_client")


class Identity(Protocol):
    """Who the requests are from."""

    def authorization(self, request: Request) -> Secret | None:
        """The Authorization header for this request; raises NotAuthenticated when there is none yet."""

    def changing(self, connections: Connections) -> asyncio.Task[None] | None:
        """What to wait for before sending, when the authorization is about to be another."""

    async def renew(self, rejected: Secret | None, calls: Calls, connections: Connections) -> bool:
        """Get another one after a 401; False if there is nothing better to offer."""


class Anonymous:
    """The identity of a client that does not log in."""

    def __init__(self, secret: Secret | None) -> None:
        self._secret = secret

    def authorization(self, request: Request) -> Secret | None:  # noqa: ARG002 - the same for all
        return self._secret

    def changing(self, connections: Connections) -> None:  # noqa: ARG002 - never
        return None

    async def renew(self, rejected: Secret | None, calls: Calls, connections: Connections) -> bool:  # noqa: ARG002 - never
        return False


@dataclass(slots=True)
class _Progress:
    """How far a call has come. Holds words, not the errors: those hold the frames in which this is a local."""

    tries: int = 0
    last: str = ""
    paid: float = 0.0
    """The tokens that the latest retry took."""


class Calls:
    """Makes the calls of one client."""

    def __init__(self, identity: Identity, policy: RetryPolicy, timeout: float, max_body: int) -> None:
        self.timeout = timeout
        self.repeated = 0
        self._identity = identity
        self._policy = policy
        self._budget = policy.budget or RetryBudget()
        self._max_body = max_body

    async def call(self, connections: Connections, request: Request) -> Any:
        """The JSON value that answers the request, within ``timeout`` seconds."""
        due = connections.loop.time() + self.timeout
        progress = _Progress()
        if not connections.closing:
            with TimeLimit(connections.loop, due) as limit:
                connections.calls.add(limit)
                try:
                    return await self._tries(connections, request, due, progress)
                finally:
                    connections.calls.discard(limit)
        raise _closed(request) if connections.closing else _timed_out(request, progress, self.timeout)

    async def _tries(self, connections: Connections, request: Request, due: float, progress: _Progress) -> Any:
        while True:
            progress.tries += 1
            try:
                answer = await self._attempt(connections, request)
            except UserAPIError as error:
                failure = error
            except Exception:
                # aiohttp trips, by an AssertionError for one, when a session is closed under a request.
                if not connections.closing:
                    raise
                failure = _closed(request)
            else:
                self._budget.give_back(progress.paid or 1)
                return answer
            try:
                if connections.closing:
                    raise _closed(request)
                delay = self._delay(request, due - connections.loop.time(), progress, failure)
                if delay is None:
                    raise failure
            finally:
                # An error that is a local of a frame in its own traceback would keep all those frames alive.
                del failure
            self.repeated += 1
            await asyncio.sleep(delay)

    async def _attempt(self, connections: Connections, request: Request) -> Any:
        """One try, and after a 401 again with a new token."""
        if request.login is not None:
            return await self._send(connections, request, None)
        if (change := self._identity.changing(connections)) is not None:
            await asyncio.wait((change,))
        is_renewed = False
        while True:
            secret = self._identity.authorization(request)
            try:
                return await self._send(connections, request, secret)
            except AuthenticationFailed as error:
                refusal = error
            # Outside of the except block: what goes wrong with the login did not happen "during handling" of the 401.
            try:
                # One login for a try; a token that others have renewed since is worth a look as well.
                is_final = is_renewed and self._identity.authorization(request) is secret
                if is_final or not await self._identity.renew(secret, self, connections):
                    raise refusal
            finally:
                del refusal
            is_renewed = True

    async def _send(self, connections: Connections, request: Request, secret: Secret | None) -> Any:
        permits = connections.permits
        if not permits.take():
            await permits.wait(urgent=request.login is not None)
        try:
            if self._policy.attempt_timeout is None:
                return await exchange(connections.session, request, secret, self._max_body)
            return await self._send_briefly(connections, request, secret, self._policy.attempt_timeout)
        finally:
            permits.release()

    async def _send_briefly(
        self, connections: Connections, request: Request, secret: Secret | None, seconds: float
    ) -> Any:
        with TimeLimit(connections.loop, connections.loop.time() + seconds):
            return await exchange(connections.session, request, secret, self._max_body)
        raise RequestTimedOut(f"{request} got no whole answer within attempt_timeout={seconds:g} s", path=request.path)

    def _delay(self, request: Request, left: float, progress: _Progress, failure: UserAPIError) -> float | None:
        """Seconds to wait before the next try; None if this failure is final."""
        if request.login is not None or progress.tries >= self._policy.attempts or not self._is_passing(failure):
            return None
        delay = self._policy.delay(progress.tries)
        if isinstance(failure, RateLimited | ServerUnavailable) and failure.retry_after is not None:
            delay = max(delay, failure.retry_after)
        if delay >= left:
            failure.add_note(f"Not tried again: the wait of {delay:.3g} s does not fit into the {left:.3g} s left.")
            return None
        price = self._budget.timeout_cost if isinstance(failure, RequestTimedOut) else self._budget.retry_cost
        if not self._budget.take(price):
            failure.add_note("Not tried again: the retry budget is used up, most requests fail.")
            return None
        progress.paid = price
        progress.last = str(failure)
        _log.debug("%s; trying again in %.3f s", failure, delay)
        return delay

    def _is_passing(self, failure: UserAPIError) -> bool:
        if isinstance(failure, RequestTimedOut):
            # Without a limit of its own, a try that timed out has used the time of the whole call.
            return self._policy.attempt_timeout is not None
        if isinstance(failure, AuthenticationFailed):
            return False
        return isinstance(failure, ConnectionFailed) or failure.status in self._policy.statuses


def _closed(request: Request) -> ClientClosed:
    return ClientClosed(f"{request}: the client was closed during the call", path=request.path)


def _timed_out(request: Request, progress: _Progress, seconds: float) -> RequestTimedOut:
    last = f"; before that: {progress.last}" if progress.last else ""
    return RequestTimedOut(
        f"{request} got no whole answer within {seconds:.3g} s, in {progress.tries} "
        f"{'try' if progress.tries == 1 else 'tries'}{last}",
        path=request.path,
    )
