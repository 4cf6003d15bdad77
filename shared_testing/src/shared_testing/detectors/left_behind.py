"""AT304: a thread, a pool or a child process is left behind."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
import threading
import weakref
from asyncio import base_subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence import offspring
from shared_testing.evidence.births import Births, maker
from shared_testing.evidence.offspring import is_kept_by_module
from shared_testing.evidence.patience import Patience
from shared_testing.findings import Rule
from shared_testing.patches import Patches

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable
    from types import FrameType

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.births import Birth, Kind
    from shared_testing.findings import Finding
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT304",
    title="thread or child process left behind",
    cause="it was started, and nothing stopped it and waited for its end",
    fix="stop it and wait for it, in a finally block or the fixture's teardown",
    explanation=(
        "It works on after its owner is gone, on files and ports that the next test wants for itself, and a thread\n"
        "that is no daemon keeps the interpreter from ending. A process that nobody waited for stays as a zombie."
    ),
    bad="""
class Flusher:
    def start(self):
        threading.Thread(target=self.run).start()
""",
    good="""
class Flusher:
    def start(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def close(self):
        self.stopping.set()
        self.thread.join()
""",
    lint="SIM115 and R1732 (pylint) see a Popen() outside 'with'",
    not_seen=(
        "os.fork(), threads of C code, daemon threads that a library keeps, pools that a module keeps for good; "
        "processes that uvloop started"
    ),
    other_loops="part",
)

_LIBRARY = str(Path(threading.__file__).parent)
_FUTURES = f"{_LIBRARY}/concurrent/futures/"
# Their threads are told of as what they belong to.
_OWNERS = (_FUTURES, f"{_LIBRARY}/asyncio/", f"{_LIBRARY}/multiprocessing/", f"{_LIBRARY}/subprocess.py")


class LeftBehind(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._births = Births()
        self._patches = Patches()
        self._patience = Patience()
        self._optional = {
            # Imported by those who use them.
            "multiprocessing.process": lambda module: self._watch(module.BaseProcess, "start", self._child_started),
            "concurrent.futures.process": lambda module: self._watch(
                module.ProcessPoolExecutor, "__init__", self._process_pool_made
            ),
        }
        self._watched: set[str] = set()
        self._transports: list[weakref.ref[Any]] = []
        self._kept: list[Any] = []
        """Transports of asyncio's processes until they are told of: one that is lost kills its process."""

    def install(self, observer: LoopObserver) -> None:
        self._watch(threading.Thread, "start", self._thread_started)
        self._watch(ThreadPoolExecutor, "__init__", self._pool_made)
        self._watch(subprocess.Popen, "__init__", self._process_made)
        self._watch(base_subprocess.BaseSubprocessTransport, "__init__", self._transport_made)
        self._watch_dying(subprocess.Popen, lambda process: process)
        self._watch_dying(base_subprocess.BaseSubprocessTransport, lambda transport: transport._proc)

    def uninstall(self) -> None:
        self._patches.undo()
        self._watched.clear()

    def start(self, scope: Scope) -> None:
        self._births.start(scope)
        self._patience.renew()
        for name in self._optional.keys() - self._watched:
            if name in sys.modules:
                self._optional[name](sys.modules[name])
                self._watched.add(name)

    def is_ending(self, loop: asyncio.AbstractEventLoop) -> bool:
        """asyncio's processes end by way of their loop: also one that was killed, and not waited for."""
        return any(self._is_expected(each(), loop) for each in self._transports) and self._patience.lasts()

    def _is_expected(self, transport: Any, loop: asyncio.AbstractEventLoop) -> bool:
        return (
            transport is not None
            and transport._loop is loop
            and transport.get_returncode() is None
            and self._births.of(transport._proc) is not None
        )

    def closing(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> Iterable[Finding]:
        self._kept = [transport for each in self._transports if (transport := each()) is not None]
        return ()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        while self._births.any_left() and self._patience.lasts():
            """A thread may have been told to stop."""
        left = [birth for birth in self._births.end() if not _is_lasting(birth, scope)]
        for transport in self._kept:
            if self._births.is_told(transport._proc) and transport._loop.is_closed():
                _end_without_loop(transport)
        self._kept.clear()
        self._transports.clear()
        return [birth.kind.finding(RULE, birth.site, birth.name) for birth in left]

    def _thread_started(self, frame: FrameType, thread: threading.Thread, name: str) -> None:
        site, via = maker(frame, None)
        if site is None or any(path.startswith(_OWNERS) for path in via):
            return
        # A daemon that a library has started for itself is its own business.
        if not thread.daemon or all(path == threading.__file__ for path in via):
            self._births.add(thread, offspring.THREAD, site, name)

    def _pool_made(self, frame: FrameType, pool: ThreadPoolExecutor, _: str) -> None:
        self._add_direct(frame, pool, offspring.POOL)

    def _process_pool_made(self, frame: FrameType, pool: Any, _: str) -> None:
        self._add_direct(frame, pool, offspring.PROCESS_POOL)

    def _add_direct(self, frame: FrameType, pool: Any, kind: Kind) -> None:
        """Not the pools of libraries, such as that of the loop."""
        site, via = maker(frame, pool)
        if site is not None and all(path.startswith(_FUTURES) for path in via):
            self._births.add(pool, kind, site)

    def _process_made(self, frame: FrameType, process: subprocess.Popen[Any], _: str) -> None:
        site, via = maker(frame, process)
        if site is not None:
            of_loop = base_subprocess.__file__ in via
            kind = offspring.ASYNC_PROCESS if of_loop else offspring.PROCESS
            self._births.add(process, kind, site, offspring.name_of_process(process))

    def _transport_made(self, _: FrameType, transport: Any, __: str) -> None:
        self._transports.append(weakref.ref(transport))

    def _child_started(self, frame: FrameType, child: Any, _: str) -> None:
        site, via = maker(frame, None)
        if site is None or any(path.startswith(_FUTURES) for path in via):
            return
        kind = offspring.WORKERS if any(path.endswith("/multiprocessing/pool.py") for path in via) else offspring.CHILD
        self._births.add(child, kind, site, child.name)

    def _watch(self, owner: Any, method: str, made: Callable[[FrameType, Any, str], None]) -> None:
        original = getattr(owner, method)
        births = self._births

        @functools.wraps(original)
        def observed(thing: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            # A thread forgets its function when it ends, which may be at once.
            name = offspring.name_of_thread(thing) if births.wanted and isinstance(thing, threading.Thread) else ""
            result = original(thing, *args, **kwargs)
            if births.wanted:
                with contextlib.suppress(Exception):
                    made(sys._getframe(1), thing, name)
            return result

        self._patches.set(owner, method, observed)

    def _watch_dying(self, owner: Any, process_of: Callable[[Any], Any]) -> None:
        original = owner.__del__

        @functools.wraps(original)
        def observed(dying: Any, **kwargs: Any) -> None:
            told = False
            with contextlib.suppress(Exception):
                told = self._births.died(process_of(dying)) is not None
            if not told:
                original(dying, **kwargs)
                return
            # Of a transport whose loop is closed already: its pipes cannot be.
            with contextlib.suppress(RuntimeError):
                original(dying, _warn=_silent)

        self._patches.set(owner, "__del__", observed)


def _is_lasting(birth: Birth, scope: Scope) -> bool:
    """A pool that was made for good, or that its loop shuts down."""
    if birth.kind not in (offspring.POOL, offspring.PROCESS_POOL):
        return False
    pool = birth.thing()
    return any(getattr(loop, "_default_executor", None) is pool for loop in scope.loops) or is_kept_by_module(pool)


def _end_without_loop(transport: Any) -> None:
    """What close() does, which needs the loop: left open, the pipes would complain in some later test."""
    transport._closed = True
    for protocol in transport._pipes.values():
        pipe = protocol.pipe
        if pipe is not None and pipe._pipe is not None:
            pipe._pipe.close()
            pipe._pipe = None
            pipe._closing = True
    if transport._proc is not None:
        transport._proc.kill()


def _silent(*_: object, **__: object) -> None:
    """In the place of warnings.warn, which finalizers take as an argument to have it until the end."""
