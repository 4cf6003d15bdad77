"""What the user's modules hold between two tests, and which test changed it.

Only identities and lengths are kept, and a short picture in words: nothing lives longer for having been looked at,
and none of the user's code runs. Values of the user's classes are looked at one level deep.
"""

from __future__ import annotations

import enum
import sys
from collections import deque
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.findings.identity import identity
from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from types import ModuleType

_CONTAINERS = (dict, list, set, deque, bytearray)
_PLAIN = (int, float, str, bytes, bool, type(None))
_SCALARS = (*_PLAIN, tuple, frozenset)
_MOST_SHOWN = 4
_WIDEST = 50


class Change(NamedTuple):
    """One test changed one global."""

    module: str
    name: str
    """``_cache``, or ``Registry.items`` for an attribute of a class."""
    before: str
    after: str
    test: str


_attributes_of = attrgetter("__dict__")


class _Owner:
    """A module or a class, with what it holds. To look whether it is the same takes a few calls, and those in C."""

    __slots__ = ("bare", "identities", "module", "namespace", "parts", "pictures", "prefix", "size", "values")

    def __init__(self, module: str, prefix: str, namespace: Any) -> None:
        self.module, self.prefix, self.namespace = module, prefix, namespace
        self.pictures: dict[str, tuple[Any, Any]] = {}
        self.read()

    def read(self) -> None:
        """Take what is there as it is."""
        everything = dict(self.namespace)
        self.size = len(everything)
        watched = {name: value for name, value in everything.items() if _is_watched(name, value)}
        # A plain value is kept, or its identity might be that of a later one.
        self.pictures = {
            # Of what stays as it is, the picture can be drawn when somebody asks.
            name: (_fingerprint(value), value if isinstance(value, _PLAIN) else picture(value))
            for name, value in watched.items()
        }
        instances = [name for name, value in watched.items() if not isinstance(value, (*_CONTAINERS, *_SCALARS))]
        bare = [name for name in instances if not watched[name].__dict__]
        self.parts: list[tuple[str, Callable[[Any], Any], Any]] = [
            (name, _of_instance if name in instances else _of_container, known)
            for name, (known, _) in self.pictures.items()
            if name not in bare and not isinstance(watched[name], _SCALARS)
        ]
        self.values, self.bare = _getter(self.pictures), _getter(bare)
        self.identities = [*map(identity, self.values(everything))] if self.values is not None else []

    def is_same(self) -> bool:
        namespace = self.namespace
        if len(namespace) != self.size:
            return False
        try:
            if self.values is not None and [*map(identity, self.values(namespace))] != self.identities:
                return False
        except KeyError:
            return False
        if self.bare is not None and any(map(_attributes_of, self.bare(namespace))):
            return False
        for name, fingerprint, known in self.parts:  # noqa: SIM110 - a generator is a call for each
            if fingerprint(namespace[name]) != known:
                return False
        return True

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

    def _stranger(self, name: str) -> tuple[Any, Any]:
        """What took the name and is of a library's class: that of a session, where None had been."""
        value = self.namespace.get(name, _NONE)
        return _NONE if value is _NONE else (identity(value), f"a {type(value).__name__}")


_NONE: tuple[Any, Any] = (None, "")


def _drawn(known: tuple[Any, Any]) -> str:
    """The picture of what has been read."""
    fingerprint, shown = known
    return picture(shown) if shown is fingerprint else str(shown)


def _getter(names: Collection[str]) -> Callable[[Any], Sequence[Any]] | None:
    """All of these from a namespace; a single one twice, for alone it would be no sequence. Raises KeyError."""
    if not names:
        return None
    return itemgetter(*names) if len(names) > 1 else itemgetter(*names, *names)


class GlobalState:
    """The state of all of the user's modules, and the changes since they were first seen."""

    def __init__(self) -> None:
        self._owners: dict[str, list[_Owner]] = {}
        self._seen = 0
        self._original: dict[tuple[str, str], str] = {}
        self.changes: dict[tuple[str, str], list[Change]] = {}

    def begin(self) -> None:
        """Meet the modules that have been imported since."""
        if len(sys.modules) != self._seen:
            for name, module in list(sys.modules.items()):
                path = getattr(module, "__file__", None)
                if name not in self._owners and isinstance(path, str) and is_users(path):
                    self._owners[name] = list(_owners(name, module))
            self._seen = len(sys.modules)

    def end(self, test: str) -> list[Change]:
        """What has changed since the last time, by `test`."""
        found = [
            Change(owner.module, f"{owner.prefix}{name}", before, after, test)
            for owners in self._owners.values()
            for owner in owners
            if not owner.is_same()
            for name, before, after in owner.changed()
        ]
        for change in found:
            key = (change.module, change.name)
            if self._original.setdefault(key, change.before) == change.after:
                # It is as it was at first: nobody can be hurt any more.
                self.changes.pop(key, None)
            else:
                self.changes.setdefault(key, []).append(change)
        self.begin()
        return found


def _owners(name: str, module: ModuleType) -> Iterator[_Owner]:
    yield _Owner(name, "", vars(module))
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == name and not issubclass(value, enum.Enum):
            owner = _Owner(name, f"{value.__name__}.", vars(value))
            if owner.pictures:
                yield owner


def _is_watched(name: str, value: Any) -> bool:
    # Dunders and what pytest writes into a module that it has rewritten (@pytest_ar) are nobody's state.
    if name.startswith(("__", "@")) or name == "pytestmark":
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
