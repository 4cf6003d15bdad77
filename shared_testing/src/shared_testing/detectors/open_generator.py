"""AT305: an async generator is left in the middle, and its cleanup to the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
import traceback
from asyncio import base_events
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.births import Births, Kind, direct_maker
from shared_testing.evidence.cleanup import has_cleanup
from shared_testing.evidence.errors import raised_in
from shared_testing.findings import Finding, Rule
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import AsyncGeneratorType

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.births import Birth
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT305",
    title="async generator not closed",
    cause="it was left in the middle: its cleanup runs when it is found as garbage, in a task of its own",
    fix="iterate in 'async with contextlib.aclosing(...) as items: async for item in items:'",
    explanation=(
        "A 'break', 'return' or exception out of 'async for' does not close the generator; 'async with aclosing()'\n"
        "does. Until its 'finally' runs, its connection, lock or transaction stays taken; on another Python than\n"
        "CPython, or when something refers to it, that may be never."
    ),
    bad="""
async def first(pool):
    async for row in rows(pool):  # which has a connection of the pool in an 'async with'
        return row
""",
    good="""
async def first(pool):
    async with contextlib.aclosing(rows(pool)) as found:
        async for row in found:
            return row
""",
    lint="ASYNC900 (flake8-async) forbids a yield in an async generator's cleanup scopes altogether",
    not_seen="generators with nothing to clean up where they were left, which do no harm; the loops of uvloop",
    other_loops="part",
)


def _is_open(generator: AsyncGeneratorType[Any, Any]) -> bool:
    frame = generator.ag_frame
    return frame is not None and not generator.ag_running and has_cleanup(generator.ag_code, frame.f_lasti)


GENERATOR = Kind("async generator {name!r} was not closed", _is_open)
# A context manager that was made of one ends it itself, if it is used as one.
_AWAITS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
_THROUGH = frozenset({contextlib.__file__})


class OpenGenerator(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._births = Births()
        self._loops: dict[Birth, asyncio.AbstractEventLoop] = {}
        self._patches = Patches()

    def install(self, observer: LoopObserver) -> None:
        self._watch_begin()
        self._watch_drop()

    def uninstall(self) -> None:
        self._patches.undo()

    def start(self, scope: Scope) -> None:
        self._births.start(scope)
        self._loops.clear()

    def closing(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> Iterable[Finding]:
        """Now, as the end of the loop cancels tasks, and they drop what they were iterating over."""
        here = [birth for birth, its_loop in self._loops.items() if its_loop is loop]
        left = self._left(here, scope, loop)
        for birth in here:
            del self._loops[birth]
        return left

    def finish(self, scope: Scope) -> Iterable[Finding]:
        # On loops that are wider than the test, and on those that ran inside it and that nobody has asked about.
        found: list[Finding] = []
        for loop in dict.fromkeys(self._loops.values()):
            found += self._left([birth for birth, its_loop in self._loops.items() if its_loop is loop], scope, loop)
        self._loops.clear()
        self._births.clear()
        return found

    def _left(self, births: list[Birth], scope: Scope, loop: asyncio.AbstractEventLoop) -> list[Finding]:
        if not births:
            return []
        # One that lives may be in use by a task, or be kept by the traceback of a failed test.
        kept = scope.error is not None or any(not task.done() for task in _other_tasks(loop))
        failed = set(_functions_of(scope.error))
        left = [birth for birth in births if birth.dropped or (not kept and birth.is_left())]
        # The failure of the test ended that loop, too.
        left = [birth for birth in left if birth.site is None or (birth.site.path, birth.site.function) not in failed]
        return [_finding(birth) for birth in left]

    def _watch_begin(self) -> None:
        original = base_events.BaseEventLoop._asyncgen_firstiter_hook  # type: ignore[attr-defined]
        births = self._births

        @functools.wraps(original)
        def observed(loop: asyncio.AbstractEventLoop, generator: AsyncGeneratorType[Any, Any]) -> None:
            original(loop, generator)
            # One that is stepped by hand, outside of any coroutine, is a tool of who does so.
            if births.wanted and (site := direct_maker(sys._getframe(1), _THROUGH, _AWAITS)) is not None:
                self._loops[births.add(generator, GENERATOR, site, generator.__qualname__)] = loop

        self._patches.set(base_events.BaseEventLoop, "_asyncgen_firstiter_hook", observed)

    def _watch_drop(self) -> None:
        original = base_events.BaseEventLoop._asyncgen_finalizer_hook  # type: ignore[attr-defined]

        @functools.wraps(original)
        def observed(loop: asyncio.AbstractEventLoop, generator: AsyncGeneratorType[Any, Any]) -> None:
            with contextlib.suppress(Exception):
                self._births.died(generator)
            original(loop, generator)

        self._patches.set(base_events.BaseEventLoop, "_asyncgen_finalizer_hook", observed)


def _finding(birth: Birth) -> Finding:
    """At the line that made it, where that is written in the same function as its first step."""
    # It reads source, which only those pay for who need it.
    from shared_testing.findings.written import assigned_before

    name = birth.name.rpartition(".")[2]
    made = assigned_before(birth.site, name) if birth.site is not None else None
    finding = birth.kind.finding(RULE, made or birth.site, birth.name)
    return finding if made is None else finding._replace(details=(f"it was begun at {birth.site}",))


def _functions_of(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """The functions that an error has left on its way out."""
    for each in raised_in(error):
        for frame, _ in traceback.walk_tb(each.__traceback__):
            yield frame.f_code.co_filename, frame.f_code.co_qualname


def _other_tasks(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
    tasks = asyncio.all_tasks(loop)
    with contextlib.suppress(RuntimeError):
        tasks.discard(asyncio.current_task())
    return tasks
