"""End what nothing else could end: cancel the main task, and if that is no use, leave it.

A cancellation lets the task's own cleanup run and frees its locks: the fixtures' teardown finds a loop in order.
"""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from shared_testing.loop.observer import LoopObserver
    from shared_testing.patches import Patches

# A cleanup may run into the next deadlock. After so many the loop is left as it is.
_MOST_CANCELS = 3

_ended: WeakKeyDictionary[asyncio.Future[Any], int] = WeakKeyDictionary()
_endings: list[str] = []
_MARK = "_shared_testing_ending"


class Stuck(Exception):
    """The test waited for what could never come, and was ended. The finding says for what."""


def has_been_ended(main: asyncio.Future[Any]) -> bool:
    return main in _ended


def end(main: asyncio.Future[Any], why: str) -> None:
    """Make the loop's main task end; raises Stuck, out of the loop, if it has not ended before."""
    _endings.append(why)
    _ended[main] = cancels = _ended.get(main, 0) + 1
    if cancels > _MOST_CANCELS or not main.cancel(why):
        leave(why)


def leave(why: str) -> NoReturn:
    """Get out of the loop without waiting for anybody."""
    __tracebackhide__ = True
    raise Stuck(why)


def install(observer: LoopObserver, patches: Patches) -> None:
    """Watch every loop that runs, also that of an ``asyncio.run()`` in a plain test; and let no CancelledError out."""
    run_forever = asyncio.BaseEventLoop.run_forever
    if getattr(run_forever, _MARK, False):
        # Several detectors need this; the one that came first leaves last.
        return

    @wraps(run_forever)
    def observed_run_forever(self: asyncio.BaseEventLoop) -> None:
        __tracebackhide__ = True
        observer.watch_pauses(self)
        run_forever(self)

    setattr(observed_run_forever, _MARK, True)
    patches.set(asyncio.BaseEventLoop, "run_forever", observed_run_forever)
    _watch_runner(patches)


def _watch_runner(patches: Patches) -> None:
    """Say Stuck where the main task's CancelledError would come out: pytest gives up a teardown that raises that."""
    run = asyncio.Runner.run

    @wraps(run)
    def observed_run(self: asyncio.Runner, coro: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        before = len(_endings)
        try:
            return run(self, coro, **kwargs)
        except asyncio.CancelledError as error:
            if len(_endings) == before:
                raise
            raise Stuck(str(error)).with_traceback(error.__traceback__) from None

    patches.set(asyncio.Runner, "run", observed_run)
