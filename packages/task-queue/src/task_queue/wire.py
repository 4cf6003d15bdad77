"""A call and its reply, as bytes.

JSON with a version: what is in a queue outlives the release that put it there. Nothing is pickled, as whoever can
write to the queue could run anything then; an exception goes by its name and its text.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import math
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

from task_queue.engine import Outcome
from task_queue.errors import NotSentError, RemoteTaskError, TaskTimeoutError
from task_queue.result import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = 1
MOST_BYTES = 1_000_000
"""How large a call or a reply may be. Put what is larger where both sides can reach it, and send its address."""


class Call(NamedTuple):
    """One attempt of one task."""

    id: str
    task: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    timeout: float | None
    """Seconds that it may run."""
    reply_to: str
    """The name of the queue that wants to know."""

    def encode(self) -> bytes:
        """Raises NotSentError for what JSON does not know, and for what is too large."""
        for name, value in (("args", list(self.args)), ("kwargs", dict(self.kwargs))):
            if path := _unknown(value, name):
                raise NotSentError(f"{self.task}: {path}, which JSON does not know; give text, numbers, lists or dicts")
        body = _dump({"v": VERSION, **self._asdict()})
        if len(body) > MOST_BYTES:
            raise NotSentError(f"{self.task}: its arguments are {len(body):,} bytes, of at most {MOST_BYTES:,}")
        return body

    @classmethod
    def decode(cls, body: bytes) -> Call:
        """Raises ValueError, with the reason, for what is no call, or of a version that is not known here."""
        fields = _load(body, "call")
        try:
            return cls(*(fields[name] for name in cls._fields))
        except KeyError as error:
            raise ValueError(f"this is no call: it has no {error}") from None


class Reply(NamedTuple):
    """How a call ended."""

    id: str
    status: str
    result: Any
    error: str
    """The full name of the exception's class; empty if there is none."""
    text: str
    trace: str
    seconds: float

    @classmethod
    def of(cls, call: Call, seconds: float, result: Any = None, error: BaseException | None = None) -> Reply:
        """`error`: what the task raised; a result that cannot be sent is an error, too."""
        if error is None and (path := _unknown(result, "its result")):
            error = RemoteTaskError("NotSentError", f"{path}, which JSON does not know")
        if error is None:
            return cls(call.id, Status.FINISHED, result, "", "", "", seconds)
        kind = error.kind if isinstance(error, RemoteTaskError) else _full_name(type(error))
        text = str(error).removeprefix(f"{kind}: ") if isinstance(error, RemoteTaskError) else str(error)
        trace = "".join(traceback.format_exception(error))
        status = Status.FAILED if isinstance(error, Exception) else Status.CANCELLED
        return cls(call.id, status, None, kind, text[:10_000], trace[-10_000:], seconds)

    def encode(self) -> bytes:
        """Of what is too large, the reply that it is."""
        body = _dump({"v": VERSION, **self._asdict()})
        if len(body) <= MOST_BYTES or self.result is None:
            return body
        text = f"its result is {len(body):,} bytes, of at most {MOST_BYTES:,}"
        return self._replace(status=Status.FAILED, result=None, error="NotSentError", text=text).encode()

    @classmethod
    def decode(cls, body: bytes) -> Reply:
        """Raises ValueError as Call.decode()."""
        fields = _load(body, "reply")
        try:
            return cls(*(fields[name] for name in cls._fields))
        except KeyError as error:
            raise ValueError(f"this is no reply: it has no {error}") from None

    def outcome(self) -> Outcome:
        """With what the task raised, or RemoteTaskError for a class that Python itself does not have."""
        if self.status == Status.FINISHED:
            return Outcome(self.result, None, self.seconds)
        if self.status == Status.CANCELLED:
            return Outcome(None, asyncio.CancelledError(self.text), self.seconds)
        if self.error == _full_name(TaskTimeoutError):
            error: Exception = TaskTimeoutError(self.text)
        else:
            error = _builtin(self.error, self.text) or RemoteTaskError(self.error, self.text)
        error.add_note(f"in a worker, after {self.seconds:.3f} s:\n{self.trace}")
        return Outcome(None, error, self.seconds)


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _load(body: bytes, kind: str) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise ValueError(f"this is no {kind}: {error}") from None
    if not isinstance(fields, dict) or fields.get("v") != VERSION:
        version = fields.get("v") if isinstance(fields, dict) else None
        raise ValueError(f"a {kind} of version {version!r}, and this release knows {VERSION}; upgrade the worker")
    return fields


def _unknown(value: Any, path: str) -> str:
    """Where there is something that would not come out as it went in; empty if all is well. A tuple becomes a list."""
    if value is None or isinstance(value, (bool, int, str)):
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{path} is {value}"
    if isinstance(value, (list, tuple)):
        return next(filter(None, (_unknown(each, f"{path}[{n}]") for n, each in enumerate(value))), "")
    if isinstance(value, dict):
        keys = (f"{path} has the key {key!r}" for key in value if not isinstance(key, str))
        parts = (_unknown(each, f"{path}[{key!r}]") for key, each in value.items())
        return next(keys, "") or next(filter(None, parts), "")
    return f"{path} is of type {type(value).__name__}"


def _full_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _builtin(name: str, text: str) -> Exception | None:
    kind = vars(builtins).get(name)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return None
    try:
        return kind(text) if text else kind()
    except TypeError:
        # One that takes more than a text, such as UnicodeDecodeError.
        return None
