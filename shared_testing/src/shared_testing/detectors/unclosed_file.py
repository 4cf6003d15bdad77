"""AT303: a file or a descriptor is not closed."""

from __future__ import annotations

import _io
import builtins
import contextlib
import contextvars
import functools
import io
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.births import Births, Kind, direct_maker, maker
from shared_testing.evidence.descriptors import Descriptors
from shared_testing.evidence.file_ends import raw_file, shown_name, watch_end
from shared_testing.findings import Finding, Rule
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Site
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT303",
    title="file or descriptor not closed",
    cause="it was opened, and neither 'with' nor close() ended it",
    fix="open it in 'with open(...) as file:'",
    explanation=(
        "What was written may still be in the buffer when somebody reads the file, and descriptors run out under\n"
        "load. CPython closes a file that is dropped, silently: PyPy, and an exception that keeps the frame, do not."
    ),
    bad="""
def load(path):  # await asyncio.to_thread(load, path)
    return json.load(open(path))
""",
    good="""
def load(path):  # await asyncio.to_thread(load, path)
    with open(path) as file:
        return json.load(file)
""",
    lint="SIM115 (ruff) sees an open() outside 'with'",
    not_seen="files that a library has opened for itself, such as those of log handlers; mmap and scandir()",
)

FILE = Kind("file {name!r} was not closed", lambda raw: not raw.closed)
ASYNC_FILE = Kind(FILE.symptom, FILE.is_open, fix="open it in 'async with aiofiles.open(...) as file:'")
_DESCRIPTOR_FIX = "close it by os.close() in a finally block, or open it in 'with os.fdopen(...) as file:'"

# Modules that open a file for who calls them. Others, such as logging, open their own.
_LIBRARY = Path(os.__file__).parent
_OPENERS = frozenset(
    {"<frozen codecs>", "<frozen os>"}
    | {f"{_LIBRARY}/{name}.py" for name in ("bz2", "codecs", "fileinput", "gzip", "lzma", "os", "pathlib", "tarfile")}
    | {f"{_LIBRARY}/{name}.py" for name in ("tempfile", "wave", "zipfile", "pathlib/__init__", "pathlib/_local")}
    | {f"{_LIBRARY}/zipfile/__init__.py"}
)


class UnclosedFile(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._births = Births()
        self._descriptors = Descriptors(lambda: self._births.wanted)
        self._patches = Patches()
        self._opens: tuple[Any, ...] = ()

    def install(self, observer: LoopObserver) -> None:
        observed = self._observed_open(builtins.open)
        # Both: a module that was imported before has the other one.
        self._opens = (observed, *_open_functions())
        for module in (builtins, io, _io):
            self._patches.set(module, "open", observed)
        self._patches.set(ThreadPoolExecutor, "submit", self._observed_submit(ThreadPoolExecutor.submit))
        self._descriptors.watch(self._patches)

    def uninstall(self) -> None:
        self._patches.undo()

    def start(self, scope: Scope) -> None:
        self._births.start(scope)
        self._descriptors.clear()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        found = [birth.kind.finding(RULE, birth.site, birth.name) for birth in self._births.end()]
        found += [
            Finding(RULE, f"descriptor of {each.call} was not closed", each.site, fix=_DESCRIPTOR_FIX)
            for each in self._descriptors.still_open()
        ]
        self._descriptors.clear()
        return found

    def _observed_open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        births = self._births

        @functools.wraps(original)
        def observed(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            file = original(*args, **kwargs)
            if births.wanted and (site := direct_maker(sys._getframe(1), _OPENERS)) is not None:
                self._note(file, FILE, site)
            return file

        return observed

    def _observed_submit(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """In the worker's thread the user is out of sight: ``await asyncio.to_thread(open, path)``, aiofiles."""
        births = self._births

        @functools.wraps(original)
        def observed(executor: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            if births.wanted:
                bare = _bare(fn, args)
                if any(bare is each for each in self._opens):
                    fn = self._noting(fn, sys._getframe(1))
            return original(executor, fn, *args, **kwargs)

        return observed

    def _noting(self, fn: Callable[..., Any], frame: FrameType) -> Callable[..., Any]:
        site, via = maker(frame, None)
        if site is None:
            return fn
        kind = ASYNC_FILE if any("/aiofiles/" in path for path in via) else FILE

        def opening(*args: Any, **kwargs: Any) -> Any:
            file = fn(*args, **kwargs)
            self._note(file, kind, site)
            return file

        return opening

    def _note(self, file: Any, kind: Kind, site: Site) -> None:
        with contextlib.suppress(Exception):
            if (raw := raw_file(file)) is not None:
                self._descriptors.taken_over(raw.fileno())
                birth = self._births.add(raw, kind, site, shown_name(raw))
                awaited = self._births.is_awaited_warning
                watch_end(raw, birth, buffered=raw is not file, is_awaited=awaited)


def _open_functions() -> tuple[Any, ...]:
    """What somebody may hand to a thread. A tuple, as not everything that is called has a hash."""
    temporary = (tempfile.NamedTemporaryFile, tempfile.TemporaryFile)
    return (builtins.open, Path.open, os.fdopen, *temporary)


def _bare(fn: Any, args: tuple[Any, ...]) -> Any:
    """The function that a thread will call: without partial() and the context of to_thread(), and unbound."""
    while True:
        if isinstance(fn, functools.partial):
            fn, args = fn.func, fn.args + args
        elif isinstance(getattr(fn, "__self__", None), contextvars.Context) and args:
            fn, args = args[0], args[1:]
        else:
            return getattr(fn, "__func__", fn)
