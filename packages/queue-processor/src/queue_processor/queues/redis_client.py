"""One client of redis-py for a RedisQueue: what it says, put in this package's words, and never with the password."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from queue_processor.errors import QueueClosed, QueueRefused, QueueUnavailable
from queue_processor.queues.redis_scripts import MAKE_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Seconds for an answer, and for a connection: ``?socket_timeout=`` of the URL says otherwise.
_PATIENCE = 5.0

# With these a server says that it, or another one, will serve later. redis-py makes classes of some; a script's error
# only quotes them.
_FOR_NOW = re.compile(r"(?:^|-)(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|MISCONF|OOM|BUSY|UNBLOCKED) ")
_FOR_NOW_CLASSES = {"BusyLoadingError", "ReadOnlyError", "ClusterDownError", "MasterDownError", "OutOfMemoryError"}
_SCHEMES = ("redis", "rediss", "unix")


class RedisClient:
    """It connects when it is first used, and again whenever it has to."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for a URL that is none, ImportError without redis-py."""
        redis = _redis_py()
        self.place = place_of(url)
        """Server, port and database, without credentials."""
        self._redis = _opened(url, self.place)
        self._errors = redis.exceptions
        self._scripts: dict[str, Any] = {}
        self._closed = False

    @property
    def patience(self) -> float:
        """Seconds after which a server that does not answer is given up."""
        return float(self._redis.connection_pool.connection_kwargs.get("socket_timeout") or _PATIENCE)

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[Any], lasting: int = 0) -> Any:
        """Run it in one step; the group that it works on is made if the server has none (any more), for so many
        milliseconds if not for good.
        """
        with self._plainly(), _cancellable():
            try:
                return await self._script(script)(keys=keys, args=arguments)
            except self._errors.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
            await self._script(MAKE_GROUP)(keys=keys, args=[lasting])
            return await self._script(script)(keys=keys, args=arguments)

    async def run_all(self, script: str, keys: Sequence[str], batches: Sequence[Sequence[Any]]) -> list[Any]:
        """Run it for each batch of arguments, all or none."""
        with self._plainly(), _cancellable():
            known = self._script(script)
            async with self._redis.pipeline(transaction=True) as pipeline:
                for batch in batches:
                    await known(keys=keys, args=batch, client=pipeline)
                return list(await pipeline.execute())

    async def command(self, *words: Any) -> Any:
        with self._plainly(), _cancellable():
            return await self._redis.execute_command(*words)

    async def close(self) -> None:
        self._closed = True
        await self._redis.aclose()

    def _script(self, script: str) -> Any:
        # It goes to the server by its digest, and whole where the server has not seen it.
        if script not in self._scripts:
            self._scripts[script] = self._redis.register_script(script)
        return self._scripts[script]

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        if self._closed:
            raise QueueClosed(f"the queue at {self.place} was closed: make a new one")
        errors = self._errors
        try:
            yield
        except (errors.AuthenticationError, errors.NoPermissionError, errors.AuthorizationError) as error:
            raise self._refused(error) from error
        except (errors.ConnectionError, errors.TimeoutError, OSError) as error:
            if doubt := _doubted_certificate(error):
                raise QueueRefused(f"{self.place} is not trusted: {doubt}; the URL may say ?ssl_ca_certs=…") from error
            raise QueueUnavailable(f"{self.place} cannot be reached just now: {error}") from error
        except errors.RedisError as error:
            # What a command of more than ten words is told that comes without a password.
            if "unauthenticated" in str(error):
                raise self._refused(error) from error
            if type(error).__name__ not in _FOR_NOW_CLASSES and not _FOR_NOW.search(str(error)):
                raise
            raise QueueUnavailable(f"{self.place} does not serve just now: {error}") from error

    def _refused(self, error: Exception) -> QueueRefused:
        return QueueRefused(f"{self.place} does not let us in: {error}; check the URL's user and password")


@contextmanager
def _cancellable() -> Iterator[None]:
    """Raise the cancellation that came meanwhile and was swallowed.

    redis-py sends by ``asyncio.wait_for()``, which before Python 3.12 goes on if what it waits for is done by then
    (CPython issue 86296). The answer is as lost as it would be by any other cancellation.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


def place_of(url: str) -> str:
    """Where the server is, for people. Raises ValueError if the URL does not say."""
    parts = _split(url)
    if parts is None or parts.scheme not in _SCHEMES:
        # Not the URL itself, nor what a parser says of it: both may hold the password.
        raise ValueError("the queue's URL is none: redis://host:6379/0, rediss:// (TLS) or unix:///path is needed")
    if parts.scheme == "unix":
        return parts.path
    host = parts.hostname or "localhost"
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or 6379}/{parts.path.strip('/') or 0}"


def _doubted_certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """What redis-py has made an error of a connection of."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _opened(url: str, place: str) -> Any:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        # One try: who repeats a put_many() puts twice, and only the caller knows whether that matters.
        return Redis.from_url(
            url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
        )
    except (ValueError, TypeError):
        raise ValueError(f"the URL of the queue at {place} has parts that redis-py does not know") from None


def _redis_py() -> Any:
    try:
        import redis
    except ImportError as error:
        raise ImportError(
            "RedisQueue needs redis-py, which is not installed: pip install asyncworks-queue-processor[redis]"
        ) from error
    return redis
