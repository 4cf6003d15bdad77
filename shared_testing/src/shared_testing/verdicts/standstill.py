"""Why nobody can go on: from the waits of a loop that stands still to one finding."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_testing.evidence.holders import Deed, holders_of
from shared_testing.findings import Finding
from shared_testing.loop.waits import Wait, awaited_tasks
from shared_testing.verdicts import queues
from shared_testing.verdicts.wording import kind_of, names, outcome, what
from shared_testing.verdicts.wrong_loop import wrong_loop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared_testing.findings import Rule


_MOST_NOTES = 8


@dataclass(frozen=True, slots=True)
class Standstill:
    """Everything known about a loop that stands still."""

    rule: Rule
    waits: Mapping[asyncio.Task[Any], Wait]
    names: Mapping[asyncio.Task[Any], str]

    def name(self, task: asyncio.Task[Any]) -> str:
        return self.names.get(task) or task.get_name()

    def notes(self, without: Iterable[Wait] = ()) -> tuple[str, ...]:
        """A line for each other task that waits on a line of the user's."""
        told = {wait.task for wait in without}
        left = [wait for wait in self.waits.values() if wait.site is not None and wait.task not in told]
        return tuple(self.note(wait) for wait in left[:_MOST_NOTES])

    def note(self, wait: Wait) -> str:
        held = next(((deed, deed.task) for deed in holders_of(wait.on)), None)
        holder = f", held by {self.name(held[1])!r} since {held[0].site}" if held and held[1] is not None else ""
        return f"{self.name(wait.task)!r} {what(wait)} at {wait.site}{holder}"


def verdict(
    rule: Rule,
    main: asyncio.Future[Any],
    suspended: Sequence[Wait],
    others: Sequence[asyncio.AbstractEventLoop],
    test: object,
) -> Finding:
    """Say what the main task waits for in the end, and why that cannot come."""
    waits = {wait.task: wait for wait in suspended}
    still = Standstill(rule, waits, names(list(waits)))
    start = _start(main, suspended)
    if start is None:
        return Finding(rule, "nothing can wake the event loop", None)
    path = _path_to_the_end(waits, start)
    if path[-1] in path[:-1]:
        return _cycle(still, path[path.index(path[-1]) : -1])
    # Whoever waits in a coroutine of asyncio's own has no line: the one who waits for that has.
    seen = next((wait for wait in reversed(path) if wait.site is not None), path[-1])
    last = path[-1]
    leaf = Wait(seen.task, last.frames, seen.site, last.on, last.verb)
    return wrong_loop(rule, leaf, still.name(leaf.task), others, test) or _leaf(still, leaf)


def _next_of(waits: Mapping[asyncio.Task[Any], Wait], wait: Wait) -> list[Wait]:
    """The waits of those whom this one waits for."""
    tasks = awaited_tasks(wait.on) + [deed.task for deed in holders_of(wait.on) if deed.task is not None]
    return [waits[task] for task in tasks if task in waits]


def last_wait(main: asyncio.Future[Any], suspended: Sequence[Wait]) -> Wait | None:
    """What the main task waits for in the end, by way of the tasks that it waits for."""
    start = _start(main, suspended)
    waits = {wait.task: wait for wait in suspended}
    return _path_to_the_end(waits, start)[-1] if start is not None else None


def _start(main: asyncio.Future[Any], suspended: Sequence[Wait]) -> Wait | None:
    own = next((wait for wait in suspended if wait.task is main), None)
    return own or next((wait for wait in suspended if wait.site is not None), None)


def _path_to_the_end(waits: Mapping[asyncio.Task[Any], Wait], start: Wait) -> list[Wait]:
    """From who waits to who is waited for; a circle ends with the wait it began with."""
    longest: list[Wait] = []
    todo, seen = [[start]], set()
    while todo:
        path = todo.pop()
        last = path[-1]
        if last in path[:-1]:
            return path
        if last.task in seen:
            continue
        seen.add(last.task)
        following = _next_of(waits, last)
        # Of several ends the first counts, unless a later path runs in a circle.
        longest = longest or ([] if following else path)
        todo += [[*path, wait] for wait in reversed(following)]
    return longest or [start]


def _cycle(still: Standstill, circle: list[Wait]) -> Finding:
    first = next((wait for wait in circle if wait.site is not None and holders_of(wait.on)), circle[0])
    at = circle.index(first)
    circle = circle[at:] + circle[:at]
    if len(circle) == 1:
        return Finding(
            still.rule,
            f"deadlock: {still.name(first.task)!r} waits for a {kind_of(first.on)} that it holds itself",
            first.site,
            cause=f"asyncio's {kind_of(first.on)} cannot be acquired again by the task that holds it",
            fix="acquire it once, and call the inner part without it",
            details=tuple(f"it was acquired at {deed.site}" for deed in holders_of(first.on)[:1]) + still.notes(circle),
        )
    return Finding(
        still.rule,
        "deadlock: " + " waits for ".join(repr(still.name(wait.task)) for wait in [*circle, first]),
        first.site,
        cause=_cycle_cause(circle),
        fix=_cycle_fix(circle),
        details=tuple(map(still.note, circle)) + still.notes(circle),
    )


def _cycle_cause(circle: list[Wait]) -> str:
    if all(holders_of(wait.on) for wait in circle):
        return "each holds a lock that another one wants; they took the same locks in different orders"
    return "each waits for another one of the circle to end or to let go"


def _cycle_fix(circle: list[Wait]) -> str:
    if all(holders_of(wait.on) for wait in circle):
        return "acquire the locks in one order everywhere, or use one lock for both"
    return "release the lock before you await the task that needs it"


def _leaf(still: Standstill, wait: Wait) -> Finding:
    who = f"{still.name(wait.task)!r}"
    notes = still.notes([wait])
    if isinstance(wait.on, asyncio.Queue):
        return queues.stuck(still.rule, wait, who, list(still.waits.values()), notes)
    if isinstance(wait.on, (asyncio.Lock, asyncio.Semaphore)):
        return _lock(still, wait, who, notes)
    if isinstance(wait.on, (asyncio.Event, asyncio.Condition)):
        call = "set()" if isinstance(wait.on, asyncio.Event) else "notify()"
        return Finding(
            still.rule,
            f"{who} {what(wait)}, and nobody is left to call {call}",
            wait.site,
            cause=f"no other task, timer, connection or thread is left that could call {call}",
            fix=f"start what calls {call} before you wait, and let it do so on its error paths too",
            details=notes,
        )
    if isinstance(wait.on, asyncio.Barrier):
        missing = wait.on.parties - wait.on.n_waiting
        return Finding(
            still.rule,
            f"{who} waits at a Barrier for {missing} more of {wait.on.parties}, who cannot come",
            wait.site,
            cause="fewer tasks are left than the barrier waits for",
            fix="give the barrier the number of tasks that reach it, or abort() it when one of them fails",
            details=notes,
        )
    return Finding(
        still.rule,
        f"{who} {what(wait)}, and nobody is left to complete it",
        wait.site,
        cause="no other task, timer, connection or thread is left that could set its result",
        fix="set a result or an exception on every path, or await with a timeout",
        details=notes,
    )


def _lock(still: Standstill, wait: Wait, who: str, notes: tuple[str, ...]) -> Finding:
    kind = kind_of(wait.on)
    held = holders_of(wait.on)
    gone: list[Deed] = [deed for deed in held if deed.task is None or deed.task.done()]
    if gone:
        deed = gone[0]
        return Finding(
            still.rule,
            f"{who} waits for a {kind} that {deed.name!r} took with it: it {outcome(deed.task)} and never released it",
            deed.site,
            cause=f"between acquire() and release() {deed.name!r} {outcome(deed.task)}; no finally released the {kind}",
            fix="hold it with 'async with', or call release() in a finally block that begins right after acquire()",
            details=(f"{who} waits at {wait.site}", *notes),
        )
    return Finding(
        still.rule,
        f"{who} {what(wait)}, and nobody is left to release it",
        wait.site,
        cause="it was acquired outside any task that still runs"
        if held
        else "it has been acquired, and never released",
        fix="hold it with 'async with'",
        details=notes,
    )
