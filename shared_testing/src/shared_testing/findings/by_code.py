"""Remember what was found out about a piece of code."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from shared_testing.findings.identity import identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

_More = TypeVarTuple("_More")
_Found = TypeVar("_Found")

_MOST = 1024


def by_code(find: Callable[[CodeType, *_More], _Found]) -> Callable[[CodeType, *_More], _Found]:
    """As ``functools.lru_cache``, which would hash and compare a code object with all that it contains, each time."""
    known: dict[tuple[object, ...], tuple[CodeType, _Found]] = {}

    @wraps(find)
    def found(code: CodeType, *more: *_More) -> _Found:
        key = identity(code), *more
        had = known.get(key)
        # What has the number now may be other code: what is kept here is kept alive.
        if had is not None and had[0] is code:
            return had[1]
        if len(known) >= _MOST:
            known.clear()
        known[key] = had = code, find(code, *more)
        return had[1]

    return found
