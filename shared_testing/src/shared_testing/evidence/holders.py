"""Remember who holds a lock, and who last put into and took from a queue.

asyncio's own objects know who waits, but not whom for. What is remembered lies on the object itself and refers
weakly to the task, so that nothing lives longer than it would.
"""

from __future__ import annotations

import asyncio
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet, ref

from shared_testing.evidence.harmless import harmless
from shared_testing.findings.site import Site, line_of, user_frame_and_code
from shared_testing.loop.waits import name_of

if TYPE_CHECKING:
    from types import CodeType

    from shared_testing.patches import Patches

_HELD = "_shared_testing_held"
_PUT = "_shared_testing_put"
_TAKEN = "_shared_testing_taken"


_held: WeakSet[asyncio.Lock] = WeakSet()


class Deed(NamedTuple):
    """Who did something to an object, and on which line."""

    weak: ref[asyncio.Task[Any]]
    name: str
    code: CodeType
    line: int

    @property
    def task(self) -> asyncio.Task[Any] | None:
        return self.weak()

    @property
    def site(self) -> Site:
        return Site(self.code.co_filename, self.line, self.code.co_qualname)


def holders_of(lock: object) -> list[Deed]:
    """Who acquired this Lock or Semaphore and has not released it, oldest first."""
    return list(getattr(lock, _HELD, ()))


def held_locks() -> list[asyncio.Lock]:
    """The locks that somebody has acquired and nobody released. Not semaphores: those also count what arrives."""
    # An empty WeakSet is quicker asked than walked.
    return list(_held) if len(_held) else []


def last_put(queue: object) -> Deed | None:
    return getattr(queue, _PUT, None)


def last_taken(queue: object) -> Deed | None:
    return getattr(queue, _TAKEN, None)


def install(patches: Patches) -> None:
    for kind in (asyncio.Lock, asyncio.Semaphore):
        _watch_acquire(patches, kind)
        _watch_release(patches, kind)
    _watch_queue(patches, "put_nowait", _PUT)
    _watch_queue(patches, "get_nowait", _TAKEN)


def _watch_acquire(patches: Patches, kind: Any) -> None:
    acquire = kind.acquire

    @wraps(acquire)
    async def observed_acquire(self: Any) -> Any:
        __tracebackhide__ = True
        result = await acquire(self)
        if (deed := _deed(sys._getframe(1))) is not None:
            held = self.__dict__.setdefault(_HELD, [])
            held.append(deed)
            if kind is asyncio.Lock:
                _held.add(self)
        return result

    patches.set(kind, "acquire", observed_acquire)


def _watch_release(patches: Patches, kind: Any) -> None:
    release = kind.release

    @wraps(release)
    def observed_release(self: Any) -> Any:
        __tracebackhide__ = True
        if held := getattr(self, _HELD, None):
            task = asyncio.current_task() if asyncio._get_running_loop() is not None else None
            # Anybody may release a semaphore: then it counts for who has held it longest.
            mine = next((deed for deed in held if deed.weak() is task), held[0])
            held.remove(mine)
            if not held:
                _held.discard(self)
        return release(self)

    patches.set(kind, "release", observed_release)


def _watch_queue(patches: Patches, name: str, mark: str) -> None:
    method = getattr(asyncio.Queue, name)

    @wraps(method)
    def observed(self: Any, *args: Any) -> Any:
        __tracebackhide__ = True
        result = method(self, *args)
        if (deed := _deed(sys._getframe(1))) is not None:
            setattr(self, mark, deed)
        return result

    patches.set(asyncio.Queue, name, observed)


@harmless(None)
def _deed(frame: Any) -> Deed | None:
    if asyncio._get_running_loop() is None or (task := asyncio.current_task()) is None:
        return None
    found = user_frame_and_code(frame)
    if found is None:
        return None
    user, code = found
    return Deed(ref(task), name_of(task), code, line_of(user, code))
