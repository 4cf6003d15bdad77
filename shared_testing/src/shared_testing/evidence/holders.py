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

from shared_testing.evidence.harmless import crashed
from shared_testing.findings.site import site_of_frame, user_frame_and_code
from shared_testing.loop.waits import name_of

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from shared_testing.findings import Site
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
    site: Site

    @property
    def task(self) -> asyncio.Task[Any] | None:
        return self.weak()


def holders_of(lock: object) -> list[Deed]:
    """Who acquired this Lock or Semaphore and has not released it, oldest first."""
    return [Deed(*each) for each in getattr(lock, _HELD, ())]


def held_locks() -> list[asyncio.Lock]:
    """The locks that somebody has acquired and nobody released. Not semaphores: those also count what arrives."""
    # An empty WeakSet is quicker asked than walked.
    return list(_held) if len(_held) else []


def last_put(queue: object) -> Deed | None:
    return _last(queue, _PUT)


def last_taken(queue: object) -> Deed | None:
    return _last(queue, _TAKEN)


def _last(queue: object, mark: str) -> Deed | None:
    noted = getattr(queue, mark, None)
    return Deed(*noted) if noted is not None else None


def install(patches: Patches) -> None:
    for kind in (asyncio.Lock, asyncio.Semaphore):
        _watch_acquire(patches, kind)
        _watch_release(patches, kind)
    _watch_queue(patches, "put_nowait", _PUT)
    _watch_queue(patches, "get_nowait", _TAKEN)


def _watch_acquire(patches: Patches, kind: Any) -> None:
    acquire = kind.acquire
    get_depth, set_depth = sys.get_coroutine_origin_tracking_depth, sys.set_coroutine_origin_tracking_depth

    @wraps(acquire)
    async def observed_acquire(self: Any) -> Any:
        __tracebackhide__ = True
        # It is awaited here and now: its origin, which is what a coroutine costs, is asked for by nobody.
        depth = get_depth()
        set_depth(0)
        try:
            acquiring = acquire(self)
        finally:
            set_depth(depth)
        result = await acquiring
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
            mine = next((deed for deed in held if deed[0]() is task), held[0])
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


def _deed(frame: FrameType) -> tuple[ref[asyncio.Task[Any]], str, CodeType, Site] | None:
    """What a Deed is made of: most are never asked for."""
    # Spelled out instead of @harmless: it is on everybody's path.
    try:
        loop = asyncio._get_running_loop()
        if loop is None or (task := asyncio.current_task(loop)) is None:
            return None
        if (found := user_frame_and_code(frame)) is None:
            return None
        user, code = found
        return ref(task), name_of(task), code, site_of_frame(user, code)
    except RecursionError:
        return None
    except Exception as error:  # noqa: BLE001 - what is called goes on
        crashed(_deed, error)
        return None
