"""Where a request goes: scheme, host and port, whatever way they are written."""

from __future__ import annotations

from typing import NamedTuple

from yarl import URL

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}


class Origin(NamedTuple):
    """A host with its port, and whether TLS is spoken there."""

    secure: bool
    host: str
    port: int

    def __str__(self) -> str:
        return str(URL.build(scheme="https" if self.secure else "http", host=self.host, port=self.port))


def origin_of(url: URL) -> Origin:
    """The origin of an absolute URL. ValueError when it has no host, or a scheme that is not spoken here."""
    host, port = url.raw_host, url.port
    if host is None or port is None or url.scheme not in _SECURE:
        raise ValueError(f"{str(url)!r} names no host; write it as the code under test does: 'https://api.example.com'")
    return Origin(_SECURE[url.scheme], host.lower().rstrip("."), port)


def served_origin(url: str) -> Origin:
    """The same for a URL at which an application is to be served: it has no path."""
    parsed = URL(url)
    origin = origin_of(parsed)
    if parsed.raw_path not in ("", "/") or parsed.raw_query_string:
        raise ValueError(
            f"{url!r} has a path: an application is served at a host, and its routes begin with {parsed.path!r}"
        )
    return origin
