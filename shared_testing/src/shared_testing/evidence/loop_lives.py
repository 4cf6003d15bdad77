"""Remember which loop an asyncio object was bound to, and where a loop was made and closed.

A Lock or a Queue takes the first loop in which somebody has to wait for it, and keeps it for good.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import mixins
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from shared_testing.evidence.harmless import harmless
from shared_testing.findings.site import is_users_frame, site_of_frame

if TYPE_CHECKING:
    from types import FrameType

    from shared_testing.findings import Site
    from shared_testing.patches import Patches

_MADE = "_shared_testing_made"
_CLOSED = "_shared_testing_closed"

# asyncio.run() lies five frames above the making of its loop.
_NEAR = 10
# Below it lies no line of the user's.
_MAKES_LOOPS = "pytest_asyncio.plugin"
_ON_THE_WAY = ("asyncio.", "shared_testing.")


class LoopLives:
    """What was bound in the present scope; for loops, all that were made."""

    def __init__(self) -> None:
        self.bound: WeakSet[Any] = WeakSet()

    def install(self, patches: Patches) -> None:
        mixin: Any = vars(mixins)["_LoopBoundMixin"]
        get_loop, make, close = mixin._get_loop, asyncio.BaseEventLoop.__init__, asyncio.BaseEventLoop.close
        bound = self.bound

        def observed_get_loop(self: Any) -> Any:
            __tracebackhide__ = True
            if self._loop is None:
                bound.add(self)
            return get_loop(self)

        def observed_init(self: Any, *args: Any, **kwargs: Any) -> None:
            make(self, *args, **kwargs)
            self.__dict__[_MADE] = _near(sys._getframe(1))

        def observed_close(self: Any) -> None:
            if not self.is_closed():
                self.__dict__[_CLOSED] = _near(sys._getframe(1))
            close(self)

        patches.set(mixin, "_get_loop", observed_get_loop)
        patches.set(asyncio.BaseEventLoop, "__init__", observed_init)
        patches.set(asyncio.BaseEventLoop, "close", observed_close)


@harmless(None)
def _near(frame: FrameType | None) -> Site | None:
    """The user's line, if it is near: below the loop of a test lies only pytest, deep as a well."""
    for _ in range(_NEAR):
        if frame is None or (module := frame.f_globals.get("__name__") or "") == _MAKES_LOOPS:
            return None
        # By the name first: most are asyncio's, and each loop of each test goes this way twice.
        if not module.startswith(_ON_THE_WAY) and is_users_frame(frame):
            return site_of_frame(frame)
        frame = frame.f_back
    return None


def made_at(loop: Any) -> Site | None:
    return getattr(loop, _MADE, None)


def closed_at(loop: Any) -> Site | None:
    return getattr(loop, _CLOSED, None)


def unbind(thing: Any) -> None:
    """Let it take the next loop, as it would in a process of its own. Not while somebody holds it or waits for it."""
    waiters = [
        *(getattr(thing, "_waiters", None) or ()),
        *getattr(thing, "_getters", ()),
        *getattr(thing, "_putters", ()),
    ]
    if not getattr(thing, "_locked", False) and all(each.done() for each in waiters):
        thing._loop = None
        for part in ("_lock", "_cond", "_finished"):
            if isinstance(inner := getattr(thing, part, None), vars(mixins)["_LoopBoundMixin"]):
                unbind(inner)
