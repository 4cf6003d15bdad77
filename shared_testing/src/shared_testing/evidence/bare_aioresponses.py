"""Notice what a test stubs with aioresponses itself, which says nothing of what is unused or unmatched.

Its behaviour stays: the request that no stub answers ends in a ClientConnectionError, as it does without us.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from shared_testing.evidence.harmless import harmless
from shared_testing.evidence.stub_book import Stub, StubBook
from shared_testing.findings.site import is_users_frame, user_site

if TYPE_CHECKING:
    from types import FrameType

    from shared_testing.patches import Patches

# A test that expects an error may well make it this way: no stub, or one that does not match, is the shortest outage.
_EXPECTING = {"raises", "assertRaises", "assertRaisesRegex"}


class BareAioresponses:
    """Patches the class of the library, once it is imported. Ours inherits from it, and keeps its own book."""

    def __init__(self, patches: Patches) -> None:
        self._patches = patches
        self._books: WeakKeyDictionary[Any, StubBook] = WeakKeyDictionary()

    def watch(self, module: Any) -> None:
        owner = module.aioresponses
        add, match, stop = owner.add, owner.match, owner.stop

        @functools.wraps(add)
        def observed_add(mock: Any, url: Any, method: str = "GET", **stub: Any) -> None:
            __tracebackhide__ = True
            add(mock, url, method, **stub)
            self._written(mock, url, method, sys._getframe(1))

        @functools.wraps(match)
        async def observed_match(mock: Any, method: str, url: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            response = await match(mock, method, url, *args, **kwargs)
            if response is None:
                self._unmatched(mock, method, url, sys._getframe(1))
            return response

        @functools.wraps(stop)
        def observed_stop(mock: Any) -> None:
            self._stopped(mock)
            stop(mock)

        self._patches.set(owner, "add", observed_add)
        self._patches.set(owner, "match", observed_match)
        self._patches.set(owner, "stop", observed_stop)

    @harmless(None)
    def _written(self, mock: Any, url: Any, method: str, frame: FrameType) -> None:
        if _keeps_its_own(mock) or _expects_an_error(frame):
            return
        stub = Stub(f"{method} {getattr(url, 'pattern', url)}", user_site(frame))
        key, matcher = next(reversed(mock._matches.items()))
        build = matcher.build_response

        async def build_response(*args: Any, **kwargs: Any) -> Any:
            stub.used = True
            return await build(*args, **kwargs)

        matcher.build_response = build_response
        self._books.setdefault(mock, StubBook()).write(key, stub)

    @harmless(None)
    def _unmatched(self, mock: Any, method: str, url: Any, frame: FrameType) -> None:
        if _keeps_its_own(mock) or mock.passthrough_unmatched or _expects_an_error(frame):
            return
        book = self._books.setdefault(mock, StubBook())
        write = f"stub it: .{method.lower()}({str(url)!r}, ...)"
        book.tell_unmatched(f"{method.upper()} {url}", write, mock._matches, user_site(frame))

    @harmless(None)
    def _stopped(self, mock: Any) -> None:
        if not _keeps_its_own(mock) and (book := self._books.pop(mock, None)) is not None:
            book.tell_unused(mock._matches)


def _keeps_its_own(mock: Any) -> bool:
    return hasattr(mock, "tell_unused")


def _expects_an_error(frame: FrameType | None) -> bool:
    """Whether some function of the user's below this one has an assertion about errors in it."""
    while frame is not None:
        if is_users_frame(frame) and not _EXPECTING.isdisjoint(frame.f_code.co_names):
            return True
        frame = frame.f_back
    return False
