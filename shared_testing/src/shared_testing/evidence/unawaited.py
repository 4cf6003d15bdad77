"""Coroutines that nobody awaited: the destroyed ones, and those that something keeps.

CPython tells of a coroutine when it is destroyed, which a traceback, a module's list or a fixture's attribute can
put off for ever. So the young objects of a test are looked through as well, before they are collected.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import sys
import warnings
import weakref
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.evidence.mocks import STAND_IN, dotted_name
from shared_testing.evidence.warning_readers import WarningReaders
from shared_testing.findings.site import is_users, origin_site, site_of_code
from shared_testing.findings.written import called_at
from shared_testing.loop.survivors import referrers
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_testing.findings import Site

    Coroutine = CoroutineType[Any, Any, Any]

# The user's line calls a library's function, and that the coroutine function. Each frame more costs each coroutine of
# the program, and those of the loop, whose functions are long, cost most.
_ORIGIN_DEPTH = 2
# An AsyncMock makes its coroutine five calls below the user's line.
_ORIGIN_DEPTH_OF_MOCK = 8
_COROUTINE = frozenset({CoroutineType})
_RUNNING = (CoroutineType, GeneratorType, AsyncGeneratorType)
_CONTAINERS = (list, tuple, set, frozenset, dict)


class Unawaited(NamedTuple):
    """A coroutine whose body never began."""

    name: str
    """Of the coroutine function, or the dotted name of the AsyncMock that made it."""
    site: Site | None
    """The user's line that made it."""
    code: CodeType
    caller: tuple[str, int, str] | None
    """Who called the coroutine function: file, line, function; None if Python did not look."""
    mock: Any = None


class UnawaitedCoroutines:
    """Those of the present scope."""

    def __init__(self) -> None:
        self._found: list[Unawaited] = []
        self._kept: list[weakref.ref[Coroutine]] = []
        self._told: dict[int, weakref.ref[Coroutine]] = {}
        self._depth = 0
        self._watching = False
        self._warn: Callable[[Coroutine], object] | None = None
        self._patches = Patches()
        self._mocks_patched = False
        self._readers = WarningReaders()

    def install(self) -> None:
        self._depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(max(self._depth, _ORIGIN_DEPTH))
        # CPython calls this for each coroutine that is destroyed unawaited; asyncio's debug mode relies on it too.
        self._warn = getattr(warnings, "_warn_unawaited_coroutine")  # noqa: B009 - private, so unknown to mypy
        self._patches.set(warnings, "_warn_unawaited_coroutine", self._dropped)
        self._mocks_patched = False

    def uninstall(self) -> None:
        # What was told and still lives would be told once more by the interpreter, when it ends.
        for reference in self._told.values():
            if (coroutine := reference()) is not None and _never_began(coroutine):
                coroutine.close()
        self._told.clear()
        self._patches.undo()
        sys.set_coroutine_origin_tracking_depth(self._depth)

    def start(self, *, look_back: bool) -> None:
        """A scope begins. `look_back`: what has not been awaited so far is not its own."""
        self._found, self._kept, self._watching = [], [], True
        self._readers.start()
        self._look_deeper_in_mocks()
        if look_back:
            for coroutine in filter(_never_began, _coroutines()):
                self._tell(coroutine)

    def _look_deeper_in_mocks(self) -> None:
        """Once somebody has imported them."""
        mixin = getattr(sys.modules.get("unittest.mock"), "AsyncMockMixin", None)
        call = getattr(sys.modules.get("unittest.mock"), "CallableMixin", None)
        if self._mocks_patched or mixin is None or (make := getattr(call, "_mock_call", None)) is None:
            return
        self._mocks_patched = True
        get_depth, set_depth = sys.get_coroutine_origin_tracking_depth, sys.set_coroutine_origin_tracking_depth

        def observed_mock_call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            before = get_depth()
            # One more, for this function.
            set_depth(max(before, _ORIGIN_DEPTH_OF_MOCK + 1))
            try:
                return make(self, *args, **kwargs)
            finally:
                set_depth(before)

        self._patches.set(mixin, "_mock_call", observed_mock_call)

    def before_collection(self) -> None:
        """Note the coroutines that have not begun; whichever survives the collection is kept by something.

        In a test run what was there before the test is frozen, and not looked through.
        """
        self._kept = [weakref.ref(each) for each in _coroutines() if _never_began(each)]

    def finish(self) -> None:
        """The scope's garbage is collected: what is kept is added to what was dropped."""
        if not self._watching:
            return
        self._watching = False
        for reference in self._kept:
            coroutine = reference()
            if coroutine is None or id(coroutine) in self._told or not _never_began(coroutine):
                continue
            found = _described(coroutine)
            if found.site is not None and not _may_be_awaited(coroutine):
                self._tell(coroutine)
                self._found.append(found)
        self._kept = []

    @property
    def found(self) -> list[Unawaited]:
        """Those that no rule has answered for yet."""
        return self._found

    def take(self, wanted: Callable[[Unawaited], bool]) -> list[Unawaited]:
        """Those that a rule answers for; no other rule gets them."""
        taken = [each for each in self._found if wanted(each)]
        self._found = [each for each in self._found if each not in taken]
        return taken

    def _tell(self, coroutine: Coroutine) -> None:
        self._told[id(coroutine)] = weakref.ref(coroutine)

    def _dropped(self, coroutine: Coroutine) -> None:
        if self._told.pop(id(coroutine), None) is not None:
            return
        try:
            wanted = self._watching and not self._readers.wait_for(RuntimeWarning)
            found = _described(coroutine) if wanted else None
        except Exception:  # noqa: BLE001 - Python's own words are better than none
            found = None
        # Outside of a test, and from a library's own doings, Python's warning is the best that can be said.
        if found is not None and (found.site is not None or found.mock is not None):
            self._found.append(found)
        elif self._warn is not None:
            self._warn(coroutine)


def _described(coroutine: Coroutine) -> Unawaited:
    origin = getattr(coroutine, "cr_origin", None) or ()
    code, caller = coroutine.cr_code, origin[0] if origin else None
    site = origin_site(origin)
    if site is not None:
        site = _with_qualname(site)
    if (mock := _mock_of(coroutine)) is not None:
        return Unawaited(dotted_name(mock._extract_mock_name(), site), site, code, caller, mock)
    if site is None and is_users(code.co_filename):
        # A library called the user's function, and did not know that it is async.
        site = site_of_code(code)
    name = coroutine.__qualname__.rpartition("<locals>.")[2]
    if site is not None and code.co_filename.startswith(STAND_IN):
        # A stand-in has no source: the line that called it says more than its class.
        name = called_at(site, code.co_name) or name
    return Unawaited(name, site, code, caller)


def _with_qualname(site: Site) -> Site:
    # It reads source, which only those pay for who need it.
    from shared_testing.findings.syntax import with_qualname

    return with_qualname(site)


def _mock_of(coroutine: Coroutine) -> Any:
    if coroutine.cr_code.co_name != "_execute_mock_call" or coroutine.cr_frame is None:
        return None
    mock = coroutine.cr_frame.f_locals.get("self")
    return mock if hasattr(mock, "_extract_mock_name") else None


def _never_began(coroutine: Coroutine) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED


def _may_be_awaited(coroutine: Coroutine) -> bool:
    """Whether something that is still going on holds it: a suspended coroutine, or a task that is to run it."""
    holders = _holders([coroutine])
    if any(map(_goes_on, holders)):
        return True
    containers = [each for each in holders if type(each) in _CONTAINERS]
    return any(map(_goes_on, _holders(containers)))


def _holders(things: list[Any]) -> list[Any]:
    return [each for each in referrers(*things) if not isinstance(each, FrameType)] if things else []


def _goes_on(holder: Any) -> bool:
    # A task: it waits for something, and does not know its class here (uvloop and C have their own).
    return isinstance(holder, _RUNNING) or hasattr(type(holder), "get_coro")


def _coroutines() -> list[Coroutine]:
    """All that are not frozen."""
    objects = gc.get_objects()
    # Mostly there are none; to know that takes a fraction of the time.
    with contextlib.suppress(TypeError):  # from a class whose metaclass has no hash
        if _COROUTINE.isdisjoint(map(type, objects)):
            return []
    return [each for each in objects if type(each) is CoroutineType]
