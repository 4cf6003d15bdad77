"""What an HTTP API promises: its endpoints, and for each status that it may answer with, what is in the answer.

Fakes and stubs are held against it where a test writes them, so that no test can rest on an answer that the real
service never gives.
"""

from __future__ import annotations

import difflib
import json
import re
import zlib
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, get_args

from shared_testing.contracts.shape import fields_of, unlike

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a test writes as a compressed body is small; a bomb is no promise.
_MOST_BYTES = 1 << 20
_GZIP_OR_DEFLATE = 47


class ContractViolation(AssertionError):
    """A stub or a reply that the contract forbids. Not a ClientError: nobody shall take it for an outage."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What comes with one status."""

    meaning: str
    body: Any = None
    """The kind of its JSON; None where anything may come, as from a proxy."""
    headers: tuple[str, ...] = ()
    """Those that are always there."""


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One operation of the API, by the name that scripts and findings use."""

    name: str
    method: str
    path: str
    replies: Mapping[int, Promise]
    query: Any = None
    """A TypedDict of the parameters; others are ignored."""
    body: Any = None
    """A TypedDict of the JSON that has to be sent."""
    needs_token: bool = True
    example: Mapping[str, object] = field(default_factory=dict)
    """A request body that works, for tools that try the API out."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def takes(self, path: str) -> bool:
        return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(self.path)), path) is not None

    def refusal(self, query: Mapping[str, str], content_type: str, body: bytes) -> str:
        """Why a request is not what this endpoint takes; empty if it is."""
        if self.body is not None:
            if content_type.partition(";")[0].strip().lower() != "application/json":
                return f"send application/json, not {content_type or 'a body without a type'}"
            try:
                return unlike(json.loads(body), self.body, "the body")
            except (ValueError, RecursionError):
                return "the body is not JSON"
        return self._wrong_parameter(query) if self.query is not None else ""

    def _wrong_parameter(self, query: Mapping[str, str]) -> str:
        for name, parameter in fields_of(self.query).items():
            if name not in query:
                if parameter.required:
                    return f"{name} is missing"
                continue
            number = integer(query[name]) if int in (parameter.kind, *get_args(parameter.kind)) else None
            if reason := unlike(query[name] if number is None else number, parameter.kind, name):
                return reason
        return ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as it goes over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Contract:
    """A service's endpoints; a path that fits two belongs to the one that is named first."""

    title: str
    version: str
    endpoints: tuple[Endpoint, ...]

    def find(self, method: str, path: str) -> Endpoint | None:
        return next((each for each in self.endpoints if each.method == method.upper() and each.takes(path)), None)

    def nearest(self, method: str, path: str) -> str:
        """The operations that may have been meant, in words."""
        # Each as it would be for that path: `/users/{id}` is as near to `/user/1` as `/users/1` is.
        known = {f"{each.method} {_filled(each.path, path)}": str(each) for each in reversed(self.endpoints)}
        close = difflib.get_close_matches(f"{method.upper()} {path}", known, n=1, cutoff=0.75)
        return f"did you mean {known[close[0]]}?" if close else f"there are {', '.join(map(str, self.endpoints))}"


def check_reply(endpoint: Endpoint, reply: Reply) -> None:
    """Raise :class:`ContractViolation` for a reply that this endpoint never gives."""
    __tracebackhide__ = True
    if reason := _forbidden(endpoint, reply):
        raise ContractViolation(f"{endpoint.name} {reply.status}: {reason}")


def _filled(template: str, path: str) -> str:
    """The template with what the path has in the place of its parameters."""
    wanted, given = template.split("/"), path.split("/")
    given += [""] * (len(wanted) - len(given))
    return "/".join(there if want.startswith("{") else want for want, there in zip(wanted, given, strict=False))


def _forbidden(endpoint: Endpoint, reply: Reply) -> str:
    promise = endpoint.replies.get(reply.status)
    if promise is None:
        known = ", ".join(map(str, sorted(endpoint.replies)))
        return f"{endpoint} is never answered with {reply.status}, only with {known}"
    headers = {name.lower(): value for name, value in reply.headers.items()}
    for name in promise.headers:
        if name.lower() not in headers:
            return f"{name} is missing, which always comes with {reply.status}"
    if not _is_retry_after(headers.get("retry-after", "0")):
        return f"Retry-After is {headers['retry-after']!r}, neither whole seconds nor an HTTP date"
    if promise.body is None:
        return ""
    content_type = headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return f"Content-Type is {content_type!r}, not application/json"
    try:
        return unlike(json.loads(_plain(reply.body, headers)), promise.body, "the body")
    except (ValueError, RecursionError, zlib.error):
        return "the body is not JSON"


def _plain(body: bytes, headers: Mapping[str, str]) -> bytes:
    if headers.get("content-encoding", "identity").lower() == "identity":
        return body
    inflate = zlib.decompressobj(_GZIP_OR_DEFLATE)
    return inflate.decompress(body, _MOST_BYTES)


def _is_retry_after(text: str) -> bool:
    if text.isascii() and text.isdecimal():
        return True
    try:
        parsedate_to_datetime(text)
    except ValueError:
        return False
    return True


def integer(text: str) -> int | None:
    """The integer that a query or a path spells, of as many digits as Python reads; None for any other text."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,4300}", text) else None
