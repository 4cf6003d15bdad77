"""Things that must be ended by who made them, each with the user's line that made it.

Only weak references: a file that is dropped is closed by Python at that moment, and must stay so.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.evidence.harmless import harmless
from shared_testing.evidence.warning_readers import WarningReaders
from shared_testing.findings.finding import Finding
from shared_testing.findings.identity import identity
from shared_testing.findings.site import site_of_frame, user_frame, users_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Rule, Site


class Kind(NamedTuple):
    """What sort of thing it is, in the words of its finding, and how to see whether it has been ended."""

    symptom: str
    is_open: Callable[[Any], bool]
    cause: str = ""
    fix: str = ""

    def finding(self, rule: Rule, site: Site | None, name: str = "") -> Finding:
        return Finding(rule, self.symptom.format(name=name), site, self.cause, self.fix)


class Birth:
    """One thing."""

    __slots__ = ("dropped", "finalized", "kind", "name", "owner", "site", "thing")

    def __init__(self, thing: weakref.ref[Any], kind: Kind, site: Site | None, name: str) -> None:
        self.thing, self.kind, self.site, self.name = thing, kind, site, name
        self.owner: Birth | None = None
        """What ends this thing along with itself."""
        self.dropped = False
        """It died without having been ended."""
        self.finalized = False

    def is_left(self) -> bool:
        if self.dropped:
            return True
        thing = self.thing()
        return thing is not None and self.kind.is_open(thing)

    def may_be_left(self) -> bool:
        """The same while garbage is being collected: its weak reference is dead, and its finalizer still to run."""
        return self.is_left() or (not self.finalized and self.thing() is None)


class Births:
    """Those of one kind of detector; the present scope's, and those of earlier ones that were told of and live on."""

    def __init__(self) -> None:
        self._scope: Scope | None = None
        # By identity: in a finalizer, weak references are dead already.
        self._known: dict[int, Birth] = {}
        self._here: dict[Birth, None] = {}
        self._readers = WarningReaders()

    @property
    def wanted(self) -> bool:
        """Whether what is made now belongs to a test."""
        return self._scope is not None and not self._scope.wider

    def start(self, scope: Scope) -> None:
        self._scope = scope
        self._readers.start()

    def add(self, thing: Any, kind: Kind, site: Site | None, name: str = "") -> Birth:
        birth = Birth(weakref.ref(thing), kind, site, name)
        self._known[identity(thing)] = birth
        self._here[birth] = None
        return birth

    def of(self, thing: Any) -> Birth | None:
        return self._known.get(identity(thing))

    def is_told(self, thing: Any) -> bool:
        """Whether it was left by an earlier scope, and is known since."""
        birth = self._known.get(identity(thing))
        return birth is not None and birth not in self._here

    def knows(self, thing: Any) -> bool:
        return identity(thing) in self._known

    def forget(self, thing: Any) -> None:
        """Somebody else ends it from now on."""
        birth = self._known.pop(identity(thing), None)
        if birth is not None:
            self._here.pop(birth, None)

    def died(self, thing: Any) -> Birth | None:
        """Call it in a finalizer. Returns the birth of what was not ended, whose complaint is then ours to make.

        It stays known: a thing may have more than one finalizer, a transport that of its StreamWriter and its own.
        """
        birth = self._known.get(identity(thing))
        if birth is None:
            return None
        birth.finalized = True
        birth.dropped = birth.dropped or birth not in self._here or _is_open(thing, birth.kind)
        # Asked only of what complains: to find a recorder is to look through all that lives.
        if birth.dropped and birth in self._here and self.is_awaited_warning():
            self.forget(thing)
            return None
        return birth if birth.dropped else None

    def is_awaited_warning(self) -> bool:
        """Whether the test waits for Python's own complaint of what it left open, just now."""
        return self._readers.wait_for(ResourceWarning)

    def any_left(self) -> bool:
        """Whether one of the present scope has not been ended."""
        return any(birth.is_left() for birth in self._here)

    def any_may_be_left(self) -> bool:
        return any(birth.may_be_left() for birth in self._here)

    def clear(self) -> None:
        """Close the scope and forget all that was made in it."""
        self._known = {key: birth for key, birth in self._known.items() if birth not in self._here}
        self._here.clear()
        self._scope = None

    def end(self) -> list[Birth]:
        """Close the scope: what of it was left. The rest is forgotten."""
        self._scope = None
        if not self._known and not self._here:
            return []
        left = dict.fromkeys(birth for birth in self._here if birth.is_left())
        told = {key: birth for key, birth in self._known.items() if birth in left or birth not in self._here}
        self._known = {key: birth for key, birth in told.items() if birth.thing() is not None}
        self._here.clear()
        # Not those that end along with another one that is told of.
        return [birth for birth in left if birth.owner is None or birth.owner not in left]


def _is_open(thing: Any, kind: Kind) -> bool:
    try:
        return kind.is_open(thing)
    except AttributeError:
        # Its making failed half-way, in the place of another one that is gone: it has nothing yet that could be open.
        return False


@harmless((None, ()))
def maker(frame: FrameType | None, thing: object) -> tuple[Site | None, tuple[str, ...]]:
    """The user's line that made `thing`, and the library files between it and here, the nearest first.

    None and no files for what the loop or a module that is just being imported made.
    """
    user = nearest = user_frame(frame)
    # A subclass's own __init__ is not where the thing was wanted.
    while user is not None and _is_init_of(user, thing):
        user = user_frame(user.f_back)
    if user is None or user.f_code.co_name == "<module>":
        return None, ()
    via: list[str] = []
    while frame is not None and frame is not nearest:
        # A library's module is in its own file; f_code would be an audit event each time.
        via.append(frame.f_globals.get("__file__") or frame.f_code.co_filename)
        frame = frame.f_back
    return site_of_frame(user), tuple(via)


@harmless(None)
def direct_maker(frame: FrameType | None, through: frozenset[str], flags: int = 0) -> Site | None:
    """The user's line, if nothing but the files `through` lies between it and here; quick when it is not so.

    Only if its function has one of these `flags`, where there are some: those of a coroutine.
    """
    # A module says for less than f_code, which is an audit event each time, that it is a library's.
    while frame is not None and frame.f_globals.get("__file__") in through:
        frame = frame.f_back
    if frame is None or (code := users_code(frame)) is None or code.co_name == "<module>":
        return None
    return site_of_frame(frame, code) if not flags or code.co_flags & flags else None


def _is_init_of(frame: FrameType, thing: object) -> bool:
    code = frame.f_code
    return code.co_name == "__init__" and code.co_argcount > 0 and frame.f_locals.get(code.co_varnames[0]) is thing
