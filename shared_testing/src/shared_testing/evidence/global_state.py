"""The state of all of the user's modules between two tests, and which test changed it."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, NamedTuple

from shared_testing.evidence.watched_namespace import Glance, WatchedNamespace
from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

# When one of its names stands for another thing, a group is looked at one by one.
_GROUP = 32


class Change(NamedTuple):
    """One test changed one global."""

    module: str
    name: str
    """``_cache``, or ``Registry.items`` for an attribute of a class."""
    before: str
    after: str
    test: str


class GlobalState:
    """The state of all of the user's modules, and the changes since they were first seen."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._groups: list[_Group] = []
        self._seen = 0
        self._original: dict[tuple[str, str], str] = {}
        self.changes: dict[tuple[str, str], list[Change]] = {}

    def begin(self) -> None:
        """Meet the modules that have been imported since."""
        if len(sys.modules) == self._seen:
            return
        new: list[WatchedNamespace] = []
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if name not in self._modules and isinstance(path, str) and is_users(path):
                self._modules.add(name)
                new += _owners(name, module)
        self._groups += [_Group(new[first : first + _GROUP]) for first in range(0, len(new), _GROUP)]
        self._seen = len(sys.modules)

    def end(self, test: str) -> list[Change]:
        """What has changed since the last time, by `test`."""
        found = [
            Change(owner.module, f"{owner.prefix}{name}", before, after, test)
            for group in self._groups
            for owner, changes in group.changed()
            for name, before, after in changes
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


class _Group:
    """Some modules and classes that are looked at together."""

    def __init__(self, members: Sequence[WatchedNamespace]) -> None:
        self._members = members
        self._look_again()

    def _look_again(self) -> None:
        self._glance = Glance(self._members)
        self._with_parts = [each for each in self._members if each.parts]

    def changed(self) -> Iterator[tuple[WatchedNamespace, list[tuple[str, str, str]]]]:
        """Those that may have, with each name in them that did, and both pictures."""
        if self._glance.is_same():
            for each in self._with_parts:
                yield each, each.changed_within()
            return
        for each in self._members:
            yield each, each.changed_within() if Glance([each]).is_same() else each.changed()
        self._look_again()


def _owners(name: str, module: ModuleType) -> Iterator[WatchedNamespace]:
    yield WatchedNamespace(name, "", vars(module))
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == name and not issubclass(value, enum.Enum):
            owner = WatchedNamespace(name, f"{value.__name__}.", vars(value))
            if owner.pictures:
                yield owner
