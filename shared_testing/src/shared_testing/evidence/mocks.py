"""Which mocks were called where, and who made them.

An error that a mock of the wrong kind causes speaks of a ``dict`` or a ``coroutine``, never of the mock; when it is
read, ``patch`` has already put the real thing back. So each call leaves a few words behind.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.findings.identity import identity
from shared_testing.findings.site import site_of_frame, user_frame_and_code, user_site
from shared_testing.findings.written import called_at, calls_at
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from shared_testing.findings import Site

# Mocks of wide fixtures are remembered beyond their test; there is an end to it.
_REMEMBERED = 20_000

# How the generated code of a stand-in by mock_of() is named, where a file's name would be.
STAND_IN = "<mock of "


class MockCall(NamedTuple):
    """A mock was called from a line of the user's."""

    kind: str
    """``MagicMock``, ``AsyncMock``, ``Mock`` or a subclass of the user's."""
    own_name: str
    """The name that the mock knows itself: ``mailer.send``, or ``mock.send`` if nobody named it."""
    is_async: bool
    code: CodeType
    called: Site
    made: Site | None
    """The line that made the mock, or the one that it is an attribute or result of."""
    mock: weakref.ref[Any]

    @property
    def name(self) -> str:
        return dotted_name(self.own_name, self.called)


class MockCalls:
    """The calls of the present scope. Patches ``unittest.mock`` once somebody has imported it."""

    def __init__(self) -> None:
        # By the identity of the function's code, which the call keeps alive.
        self._calls: dict[tuple[int, int], MockCall] = {}
        self._made: dict[int, Site] = {}
        # What asyncio itself calls at each turn, as the selector of a loop: no line of the user's awaits that.
        self._loops_own: weakref.ref[Any] | None = None
        self._patches = Patches()
        self._patched = False

    def uninstall(self) -> None:
        self._patches.undo()
        self._patched = False

    def start(self) -> None:
        self._calls.clear()
        if len(self._made) > _REMEMBERED:
            self._made.clear()
        if not self._patched and (mock := sys.modules.get("unittest.mock")) is not None:
            self._patched = True
            self._patch(mock)

    def of(self, code: CodeType) -> list[MockCall]:
        """The calls from this function, the last one last."""
        return [call for call in self._calls.values() if call.code is code]

    def made_at(self, mock: Any) -> Site | None:
        """The line that made the mock, or the one that it is an attribute or result of."""
        while mock is not None:
            if (site := self._made.get(id(mock))) is not None:
                return site
            mock = mock.__dict__.get("_mock_new_parent")
        return None

    def _patch(self, mock: Any) -> None:
        init = mock.NonCallableMock.__init__
        # The first step of each call of a mock; unlike __call__ it is in no traceback of a side effect.
        increment = getattr(mock.CallableMixin, "_increment_mock_call", None)
        if increment is None:
            return
        mock_made, mock_called = self._mock_made, self._mock_called

        @functools.wraps(init)
        def observed_init(self: Any, /, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **kwargs)
            mock_made(self)

        def observed_increment(self: Any, /, *args: Any, **kwargs: Any) -> None:
            mock_called(self)
            increment(self, *args, **kwargs)

        self._patches.set(mock.NonCallableMock, "__init__", observed_init)
        self._patches.set(mock.CallableMixin, "_increment_mock_call", observed_increment)

    def _mock_made(self, mock: Any) -> None:
        try:
            # Also without a line: the number may have been another mock's, which is gone.
            self._made.pop(id(mock), None)
            # An attribute or a result is made by the first to ask for it, who is the code under test.
            if mock.__dict__.get("_mock_new_parent") is None and (site := user_site(sys._getframe(2))) is not None:
                self._made[id(mock)] = site
        except Exception:  # noqa: BLE001 - nobody's mock may break for what we remember of it
            return

    def _mock_called(self, mock: Any) -> None:
        try:
            if self._loops_own is not None and self._loops_own() is mock and _in_no_task():
                return
            caller = _caller()
            if caller is not None and caller.f_globals is _EVENTS:
                self._loops_own = weakref.ref(mock)
                return
            if (found := user_frame_and_code(caller)) is None:
                return
            frame, code = found
            key = identity(code), site_of_frame(frame, code).line
            known = self._calls.get(key)
            if known is not None and known.mock() is mock:
                # Once more, in a loop; it is the last one now.
                self._calls[key] = self._calls.pop(key)
                return
            name = mock._extract_mock_name()
            if name.endswith("__"):
                return
            self._calls.pop(key, None)
            self._calls[key] = MockCall(
                kind=type(mock).__name__,
                own_name=name,
                is_async="_mock_await_count" in mock.__dict__,
                code=code,
                called=site_of_frame(frame, code),
                made=self.made_at(mock),
                mock=weakref.ref(mock),
            )
        except Exception:  # noqa: BLE001 - as above
            return


def _caller() -> FrameType | None:
    """Who called the mock, by the shortest way: some are called thousands of times."""
    inside = sys._getframe(3)
    frame: FrameType | None = inside
    while frame is not None and frame.f_globals is inside.f_globals:
        frame = frame.f_back
    return frame


def _in_no_task() -> bool:
    """The loop itself runs, or one of its callbacks."""
    loop = asyncio._get_running_loop()
    return loop is not None and asyncio.current_task(loop) is None


_EVENTS = vars(asyncio.base_events)


def dotted_name(own_name: str, called: Site | None) -> str:
    """``mailer.send``: as the mock was named, or else as the user wrote the call."""
    root, _, rest = own_name.partition(".")
    if rest and root.rstrip("()") != "mock":
        return own_name
    written = called_at(called, own_name.rpartition(".")[2]) if called and rest else None
    if written is None and called is not None and not rest:
        written = _only_call(called)
    return written or own_name


def _only_call(site: Site) -> str | None:
    """A mock without a parent has no name to look for: the line says it if there is one call on it."""
    calls = calls_at(site)
    return calls[0] if len(calls) == 1 else None
