"""See what happens in an event loop, whoever made it.

Attaching patches the loop object itself, so that it works on asyncio's, uvloop's and a virtual one, and needs no
loop factory that another plugin's could displace.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from shared_testing.evidence.log_readers import is_heard
from shared_testing.findings.site import site_of_frame, user_frame_and_code, users_code
from shared_testing.loop import watched
from shared_testing.loop.ending import Stuck
from shared_testing.loop.pauses import watch_pauses
from shared_testing.patches import Patches

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import CodeType

    from shared_testing.findings.site import Site

_MARK = "_shared_testing_observer"
_PATCHES = "_shared_testing_patches"
_PAUSES = "_shared_testing_pauses"


class LoopObserver:
    """Calls its subscribers for each event in each attached loop. Subscribers are quick and never raise."""

    def __init__(self) -> None:
        self.on_task: list[Callable[[asyncio.Task[Any], Site | None], object]] = []
        """Called with each new task, and the user's line that created it."""
        self.on_error: list[Callable[[asyncio.AbstractEventLoop, dict[str, Any]], bool]] = []
        """Called with what the loop would hand to its exception handler; True keeps it out of pytest's own log."""
        self.on_future: list[Callable[[asyncio.Future[Any], Site, CodeType], object]] = []
        """Called with each future that the user's own code gets of loop.create_future(), with its line and code."""
        self.on_timer: list[Callable[[asyncio.TimerHandle], object]] = []
        """Called with each timer of call_later() and call_at(), on the stack of who asked for it."""
        self.on_failure: list[Callable[[BaseException], object]] = []
        """Called with the first error of a scope, before the fixtures of a test are torn down."""
        self.before_collection: list[Callable[[], object]] = []
        """Called at the end of a scope, when its garbage is about to be collected."""
        self.on_cancel: list[Callable[[asyncio.Task[Any]], object]] = []
        """Called before ``task.cancel()``, on the stack of who asked for it. For tasks of attached loops."""
        self.on_standstill: list[Callable[[asyncio.AbstractEventLoop, int], object]] = []
        """Called with a selector loop that is about to wait with no timer set. May ready it, or raise to end it."""
        self.on_pulse: list[Callable[[asyncio.AbstractEventLoop, int], object]] = []
        """Called every quarter second with a selector loop that runs, and how many turns it has had no rest."""
        self.on_crash: Callable[[Callable[..., object], Exception], object] = _raise
        """Called with a subscriber that raised, and what: nobody's program may fail by it."""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch this loop until it is closed. Does nothing when it is watched already."""
        if getattr(loop, _MARK, None) is self:
            return
        setattr(loop, _MARK, self)
        watched.add(loop)
        patches = Patches()
        setattr(loop, _PATCHES, patches)
        self._watch_tasks(loop, patches)
        self._watch_futures(loop, patches)
        self._watch_timers(loop, patches)
        self._watch_errors(loop, patches)
        self.watch_pauses(loop)

    def let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave a closed loop as it was: what was put on it leads back to it, and would keep it and its callbacks
        in memory until the collector comes by.
        """
        if getattr(loop, _MARK, None) is self:
            getattr(loop, _PATCHES).undo()

    def watch_pauses(self, loop: asyncio.AbstractEventLoop) -> None:
        """Only tell when it stands still and that it runs. Also for a loop that is attached later, or never."""
        if (self.on_standstill or self.on_pulse) and getattr(loop, _PAUSES, None) is not self:
            setattr(loop, _PAUSES, self)
            patches = getattr(loop, _PATCHES, None) or Patches()
            watch_pauses(loop, self.on_standstill, self.on_pulse, self._guarded, patches)

    def _guarded(self, tell: Callable[..., Any], *told: object) -> Any:
        __tracebackhide__ = True
        try:
            return tell(*told)
        except (Stuck, RecursionError):
            # The one is meant, the other is the user's: our call was just the last that had no room on the stack.
            raise
        except Exception as error:  # noqa: BLE001 - see on_crash
            self.on_crash(tell, error)

    def _watch_tasks(self, loop: Any, patches: Patches) -> None:
        create_task = loop.create_task

        def observed_create_task(coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
            task: asyncio.Task[Any] = create_task(coro, **kwargs)
            if self.on_task:
                found = user_frame_and_code(sys._getframe(1))
                site = site_of_frame(*found) if found is not None else None
                for tell in self.on_task:
                    try:
                        tell(task, site)
                    except Exception as error:  # noqa: BLE001 - see on_crash; spelled out: it is on everybody's path
                        self.on_crash(tell, error)
            if self.on_cancel:
                # On the task itself: its class is written in C and cannot be patched. By a weak reference, so that
                # the task dies when it would. A task of the user's own making may refuse.
                try:  # noqa: SIM105 - a context manager is a call more, on everybody's path
                    task.cancel = partial(self._cancel, ref(task))  # type: ignore[method-assign]
                except (AttributeError, TypeError):
                    pass
            return task

        patches.set(loop, "create_task", observed_create_task)

    def _cancel(self, weak: ref[asyncio.Task[Any]], msg: Any | None = None) -> bool:
        task = weak()
        if task is None:
            return False
        for tell in self.on_cancel:
            self._guarded(tell, task)
        return type(task).cancel(task, msg)

    def _watch_futures(self, loop: Any, patches: Patches) -> None:
        create_future = loop.create_future

        def observed_create_future() -> asyncio.Future[Any]:
            future: asyncio.Future[Any] = create_future()
            caller = sys._getframe(1)
            # Each sleep and each queue of asyncio's makes some, and looks after them; so do libraries.
            if (code := users_code(caller)) is not None:
                site = site_of_frame(caller, code)
                for tell in self.on_future:
                    try:
                        tell(future, site, code)
                    except Exception as error:  # noqa: BLE001 - as for tasks
                        self.on_crash(tell, error)
            return future

        if self.on_future:
            patches.set(loop, "create_future", observed_create_future)

    def _watch_timers(self, loop: Any, patches: Patches) -> None:
        call_at = loop.call_at

        def observed_call_at(when: float, callback: Any, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            handle: asyncio.TimerHandle = call_at(when, callback, *args, **kwargs)
            for tell in self.on_timer:
                try:
                    tell(handle)
                except Exception as error:  # noqa: BLE001 - as for tasks
                    self.on_crash(tell, error)
            return handle

        # asyncio's call_later() goes through call_at(); uvloop's does not, and is left alone.
        patches.set(loop, "call_at", observed_call_at)

    def _watch_errors(self, loop: Any, patches: Patches) -> None:
        call_exception_handler = loop.call_exception_handler

        def observed_call_exception_handler(context: dict[str, Any]) -> None:
            # All are told, also when the first has taken it.
            taken = any([self._guarded(tell, loop, context) for tell in self.on_error])  # noqa: C419
            if not taken or is_heard():
                call_exception_handler(context)

        patches.set(loop, "call_exception_handler", observed_call_exception_handler)


def _raise(_: Callable[..., object], error: Exception) -> object:
    raise error
