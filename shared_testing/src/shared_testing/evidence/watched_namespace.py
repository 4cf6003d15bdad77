"""What a module or a class of the user's holds, and whether it is still the same.

Only identities and lengths are kept, and a short picture in words: nothing lives longer for having been looked at,
and none of the user's code runs. Values of the user's classes are looked at one level deep.
"""

from __future__ import annotations

import sys
from collections import deque
from itertools import chain, compress
from operator import attrgetter, call, is_, itemgetter
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from shared_testing.findings.identity import identity
from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

_CONTAINERS = (dict, list, set, deque, bytearray)
_PLAIN = (int, float, str, bytes, bool, type(None))
_SCALARS = (*_PLAIN, tuple, frozenset)
# Most of what a module holds.
_NO_STATE = frozenset({FunctionType, BuiltinFunctionType, ModuleType, type})
_MOST_SHOWN = 4
_WIDEST = 50

_attributes_of = attrgetter("__dict__")


class WatchedNamespace:
    """A module or a class, with what it holds."""

    __slots__ = ("bare", "module", "namespace", "numbers", "parts", "pictures", "plain", "prefix", "size")

    def __init__(self, module: str, prefix: str, namespace: Any) -> None:
        self.module, self.prefix, self.namespace = module, prefix, namespace
        self.read()

    def read(self) -> None:
        """Take what is there as it is."""
        everything = dict(self.namespace)
        self.size = len(everything)
        watched = {name: value for name, value in everything.items() if _is_watched(name, value)}
        # A plain value is kept, or its identity might be that of a later one.
        self.plain = {name: value for name, value in watched.items() if isinstance(value, _PLAIN)}
        self.numbers = {name: identity(value) for name, value in watched.items() if name not in self.plain}
        others = [name for name in self.numbers if not isinstance(watched[name], _SCALARS)]
        self.bare = {
            name for name in others if not isinstance(watched[name], _CONTAINERS) and not watched[name].__dict__
        }
        self.parts = [name for name in others if name not in self.bare]
        self.pictures: dict[str, tuple[Any, Any]] = {
            # Of what stays as it is, the picture can be drawn when somebody asks.
            name: (_fingerprint(value), value if name in self.plain else picture(value))
            for name, value in watched.items()
        }

    def changed(self) -> list[tuple[str, str, str]]:
        """Each name whose value is another or differs, with both pictures."""
        before = self.pictures
        self.read()
        names = dict.fromkeys([*before, *self.pictures])
        pairs = [(name, before.get(name, _NONE), self.pictures.get(name) or self._stranger(name)) for name in names]
        return [
            (name, _drawn(old), _drawn(new))
            for name, old, new in pairs
            # A name that came new was defined by an import, or is of a kind that is not looked at.
            if old is not _NONE and new is not _NONE and old[0] != new[0] and _drawn(old) != _drawn(new)
        ]

    def changed_within(self) -> list[tuple[str, str, str]]:
        """The same where each name is known to stand for what it stood for: a list that has grown."""
        found = []
        for name in self.parts:
            (known, before), value = self.pictures[name], self.namespace[name]
            if (now := _fingerprint(value)) != known:
                after = picture(value)
                self.pictures[name] = now, after
                if after != before:
                    found.append((name, before, after))
        return found

    def _stranger(self, name: str) -> tuple[Any, Any]:
        """What took the name and is of a library's class: that of a session, where None had been."""
        value = self.namespace.get(name, _NONE)
        return _NONE if value is _NONE else (identity(value), f"a {type(value).__name__}")


class Glance:
    """Whether each name in some namespaces stands for what it stood for: for all of them by a few calls in C."""

    def __init__(self, seen: Sequence[WatchedNamespace]) -> None:
        self._namespaces, self._sizes = [each.namespace for each in seen], [each.size for each in seen]
        plain = [(each, _twice(each.plain)) for each in seen]
        others = [(each, _twice(each.numbers)) for each in seen]
        self._plain, self._kept = _Values(plain), [each.plain[name] for each, names in plain for name in names]
        self._others, self._numbers = _Values(others), [each.numbers[name] for each, names in others for name in names]
        self._bare = [name in each.bare for each, names in others for name in names]

    def is_same(self) -> bool:
        if [*map(len, self._namespaces)] != self._sizes:
            return False
        try:
            others = [*self._others]
            return (
                all(map(is_, self._plain, self._kept))
                and [*map(identity, others)] == self._numbers
                # An instance that had no attributes of its own, and has got some.
                and not any(map(_attributes_of, compress(others, self._bare)))
            )
        except KeyError:
            return False


class _Values:
    """Those of all these names in these namespaces, as they are now. Raises KeyError for one that is gone."""

    def __init__(self, wanted: Iterable[tuple[WatchedNamespace, Sequence[str]]]) -> None:
        asked = [(each.namespace, itemgetter(*names)) for each, names in wanted if names]
        self._namespaces, self._getters = [each for each, _ in asked], [each for _, each in asked]

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(map(call, self._getters, self._namespaces))


def _twice(names: Collection[str]) -> Sequence[str]:
    """As an itemgetter must have them: it returns a single one alone, which is no sequence."""
    return [*names] if len(names) != 1 else [*names, *names]


_NONE: tuple[Any, Any] = (None, "")


def _drawn(known: tuple[Any, Any]) -> str:
    """The picture of what has been read."""
    fingerprint, shown = known
    return picture(shown) if shown is fingerprint else str(shown)


def _is_watched(name: str, value: Any) -> bool:
    # Dunders and what pytest writes into a module that it has rewritten (@pytest_ar) are nobody's state.
    if name.startswith(("__", "@")) or name == "pytestmark" or type(value) in _NO_STATE:
        return False
    return isinstance(value, (*_CONTAINERS, *_SCALARS)) or _attributes(value) is not None


def _attributes(value: Any) -> dict[str, Any] | None:
    """Those of an instance of one of the user's classes."""
    module = sys.modules.get(getattr(type(value), "__module__", None) or "")
    if isinstance(value, type) or not is_users(getattr(module, "__file__", None) or "<none>"):
        return None
    attributes = getattr(value, "__dict__", None)
    return attributes if isinstance(attributes, dict) else None


def _fingerprint(value: Any) -> Any:
    """Differs when the value or a part of it was replaced, added or taken away."""
    if isinstance(value, _SCALARS):
        return value if not isinstance(value, (tuple, frozenset)) else identity(value)
    return _of_container(value) if isinstance(value, _CONTAINERS) else _of_instance(value)


def _of_container(value: Any) -> Any:
    if isinstance(value, bytearray):
        return identity(value), bytes(value[:_WIDEST])
    # A copy, at one stroke: another thread may write to it just now.
    items = list(value.values() if isinstance(value, dict) else value)
    return identity(value), len(value), *map(identity, items[:_WIDEST])


def _of_instance(value: Any) -> Any:
    if not (attributes := value.__dict__):
        return (identity(value),)
    parts = list(attributes.values())[:_WIDEST]
    return identity(value), *map(identity, parts), *[len(each) for each in parts if isinstance(each, _CONTAINERS)]


def picture(value: Any, depth: int = 0) -> str:
    """A short text for a value; objects of the user's by their class and attributes."""
    if isinstance(value, (int, float, bool, type(None))):
        return repr(value)
    if isinstance(value, (str, bytes)):
        return repr(value if len(value) <= 40 else value[:37]) + ("..." if len(value) > 40 else "")
    if depth > 1:
        return "..."
    if isinstance(value, dict):
        shown = [f"{picture(key, 2)}: {picture(each, depth + 1)}" for key, each in list(value.items())[:_MOST_SHOWN]]
        return _joined("{", shown, len(value), "}")
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        brackets = {list: ("[", "]"), tuple: ("(", ")"), deque: ("deque(", ")")}.get(type(value), ("{", "}"))
        shown = [picture(each, depth + 1) for each in list(value)[:_MOST_SHOWN]]
        return _joined(brackets[0], shown, len(value), brackets[1])
    attributes = _attributes(value) or {}
    shown = [f"{name}={picture(each, depth + 1)}" for name, each in list(attributes.items())[:_MOST_SHOWN]]
    return _joined(f"{type(value).__name__}(", shown, len(attributes), ")")


def _joined(opening: str, shown: list[str], count: int, closing: str) -> str:
    more = [f"... {count - len(shown)} more"] if count > len(shown) else []
    return opening + ", ".join(shown + more) + closing
