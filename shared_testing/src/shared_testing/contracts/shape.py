"""Hold a JSON value against a type, and say in the field's own terms what is wrong with it.

The types are plain annotations (``TypedDict``, ``list``, unions, ``Annotated`` with a ``Between``), so that mypy, the
check and the JSON schema read the same lines. An object is closed: a field that it does not know is a misspelt one.
"""

from __future__ import annotations

import difflib
import types
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

_JSON: dict[type, tuple[str, str]] = {
    int: ("integer", "an integer"),
    str: ("string", "a string"),
    bool: ("boolean", "a boolean"),
    float: ("number", "a number"),
    types.NoneType: ("null", "null"),
    list: ("array", "a list"),
    dict: ("object", "an object"),
}
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Between:
    """The range of a number, both ends included; None is no end."""

    least: int
    most: int | None = None

    def unlike(self, value: int, name: str) -> str:
        if value < self.least:
            return f"{name} is {value}, but is at least {self.least}"
        return f"{name} is {value}, but is at most {self.most}" if self.most is not None and value > self.most else ""


@dataclass(frozen=True, slots=True)
class Field:
    kind: Any
    required: bool


@lru_cache
def fields_of(kind: Any) -> dict[str, Field]:
    """The fields of a TypedDict."""
    # Not __required_keys__: with postponed annotations Python 3.11 does not see NotRequired there.
    hints = get_type_hints(kind, include_extras=True)
    return {
        name: Field(get_args(hint)[0], False) if get_origin(hint) is NotRequired else Field(hint, True)
        for name, hint in hints.items()
    }


def unlike(value: object, kind: Any, name: str) -> str:
    """Why the value is not of that kind; empty if it is."""
    origin = get_origin(kind)
    if origin is Annotated:
        base, limit = get_args(kind)
        return unlike(value, base, name) or limit.unlike(value, name)
    if origin in (Union, types.UnionType):
        reasons = [unlike(value, each, name) for each in get_args(kind)]
        return "" if "" in reasons else f"{name} is {_shown(value)}, not {' or '.join(map(_words, get_args(kind)))}"
    # The exact type: True is an int to Python, but not to JSON.
    if type(value) is not (dict if is_typeddict(kind) else origin or kind):
        return f"{name} is {_shown(value)}, not {_words(kind)}"
    if isinstance(value, list):
        entries = (unlike(each, get_args(kind)[0], f"{name}[{index}]") for index, each in enumerate(value))
        return next(filter(None, entries), "")
    return _unlike_object(value, kind, name) if isinstance(value, dict) else ""


def _unlike_object(value: dict[str, object], kind: Any, name: str) -> str:
    fields = fields_of(kind)
    where = "" if name == "the body" else f"{name}."
    for field in value.keys() - fields.keys():
        close = difflib.get_close_matches(field, fields, n=1, cutoff=0.5)
        meant = f"; did you mean {close[0]}?" if close else f", which has {', '.join(fields)}"
        return f"{where}{field} is no field of {kind.__name__}{meant}"
    for field, expected in fields.items():
        if field not in value:
            if expected.required:
                return f"{where}{field} is missing; {kind.__name__} needs it"
        elif reason := unlike(value[field], expected.kind, f"{where}{field}"):
            return reason
    return ""


def _words(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Annotated:
        return _words(get_args(kind)[0])
    return f"an object ({kind.__name__})" if is_typeddict(kind) else _JSON[origin or kind][1]


def _shown(value: object) -> str:
    kind = _JSON.get(type(value), ("", type(value).__name__))[1]
    if value is None or isinstance(value, list | dict):
        return kind
    text = repr(value)
    return f"{kind}, {text if len(text) <= _SHOWN else text[:_SHOWN] + '...'}"


def schema_of(kind: Any, known: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of that kind. Objects are referred to, and added to `known`."""
    origin = get_origin(kind)
    if origin is Annotated:
        base, limit = get_args(kind)
        ends = {"minimum": limit.least, "maximum": limit.most}
        return schema_of(base, known) | {name: end for name, end in ends.items() if end is not None}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(each, known) for each in get_args(kind)]}
    if origin is list:
        return {"type": "array", "items": schema_of(get_args(kind)[0], known)}
    if not is_typeddict(kind):
        return {"type": _JSON[kind][0]}
    if kind.__name__ not in known:
        known[kind.__name__] = {}
        known[kind.__name__] = {
            "type": "object",
            "properties": {name: schema_of(field.kind, known) for name, field in fields_of(kind).items()},
            "required": [name for name, field in fields_of(kind).items() if field.required],
            "additionalProperties": False,
        }
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
