"""Message queues by URL, as a command line or a setting names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from queue_processor.queues.message_queue import MessageQueue

    Opened = AbstractAsyncContextManager[MessageQueue]


def open_queue(url: str, *, lease: float | None = None, max_deliveries: int | None = None) -> Opened:
    """The queue at `url`, for `async with`.

    ======================================  ===============================================================
    ``sqlite:///var/lib/jobs.db?name=pages``  a file (four slashes mean the same); ``sqlite:jobs.db`` in this folder
    ``redis://host:6379/0?name=pages``        a Redis or Valkey server; ``rediss://`` with TLS, ``unix:///socket``
    ======================================  ===============================================================

    After the ``?``: `name` of the queue there, `lease` in seconds, `max_deliveries`; `durability` of a file. All who
    work on one queue should say the same. What is given as an argument comes before what the URL says.

    Raises ValueError for a URL that names no queue, and ImportError if what the engine needs is not installed.
    """
    parts = urlsplit(url)
    # The URL may hold a password: what is told of it is its scheme.
    try:
        make, own = _ENGINES[parts.scheme]
    except KeyError:
        known = f"{parts.scheme}:" if parts.scheme else "a name without a scheme"
        raise ValueError(f"{known} is the URL of no queue that is known; {_KNOWN}") from None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    options: dict[str, Any] = {name: query.pop(name) for name in ("name", *own) if name in query}
    options |= _numbers(query)
    options |= {"lease": lease} if lease is not None else {}
    options |= {"max_deliveries": max_deliveries} if max_deliveries is not None else {}
    return make(parts._replace(query=urlencode(query)), options)


def _numbers(query: dict[str, str]) -> dict[str, Any]:
    kinds: dict[str, Callable[[str], float]] = {"lease": float, "max_deliveries": int}
    found = {}
    for name, kind in kinds.items():
        if name in query:
            text = query.pop(name)
            try:
                found[name] = kind(text)
            except ValueError:
                raise ValueError(f"{name}={text} in the URL of a queue: it is a number") from None
    return found


def _sqlite(parts: SplitResult, options: dict[str, Any]) -> Opened:
    from queue_processor.queues.sqlite import SQLiteQueue

    if parts.netloc:
        raise ValueError(f"sqlite://{parts.netloc}…: the path begins at a third slash, or right after sqlite:")
    if not parts.path.strip("/"):
        raise ValueError("sqlite: of which file? sqlite:///var/lib/jobs.db, or sqlite:jobs.db in this folder")
    if parts.query:
        raise ValueError(f"sqlite: ?{parts.query} is not known; there are name, lease, max_deliveries and durability")
    return SQLiteQueue(unquote(parts.path), **options)


def _redis(parts: SplitResult, options: dict[str, Any]) -> Opened:
    from queue_processor.queues.redis_queue import RedisQueue

    return RedisQueue(parts.geturl(), **options)


_ENGINES: dict[str, tuple[Callable[[SplitResult, dict[str, Any]], Opened], tuple[str, ...]]] = {
    "sqlite": (_sqlite, ("durability",)),
    "redis": (_redis, ()),
    "rediss": (_redis, ()),
    "unix": (_redis, ()),
}

_KNOWN = "there are sqlite:///path/jobs.db, redis://host:6379/0, rediss:// (TLS) and unix:///path, each with ?name=…"
