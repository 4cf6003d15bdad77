"""AT401: several tasks read, wait and write the same thing, and a test failed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from weakref import ref

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.errors import raised_in
from shared_testing.findings import Finding, Rule
from shared_testing.findings.identity import identity
from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable
    from types import CodeType

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.lost_updates import LostUpdate
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT401",
    title="race: outcome depends on the schedule",
    cause="what one task reads, another one changes while the first waits",
    fix="hold an asyncio.Lock from the read to the write, or read again after the await",
    explanation=(
        "Between two awaits a task has the loop for itself; at an await all others run. Who keeps a value over an\n"
        "await, and writes back what he made of it, writes over what came in between. It shows when two tasks do so\n"
        "at once, and which one wins depends on who is quicker."
    ),
    bad="""
async def increment(self):
    count = self.count
    await self.log("increment")
    self.count = count + 1
""",
    good="""
async def increment(self):
    async with self.lock:
        count = self.count
        await self.log("increment")
        self.count = count + 1
""",
    lint="none: whether two tasks run a function at once is not in the text",
    not_seen=(
        "a race in a test that passes, and one that is no lost update: the exploration of schedules finds those;\n"
        "a function that holds any lock or is in any 'async with'; a value that reaches the write through a call"
    ),
)


class LostUpdates(Detector):
    """Counts which of the user's functions run as several tasks at once; reads their text if an assertion failed."""

    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        # By number: the hash of a code object is that of all it contains.
        self._codes: dict[int, tuple[CodeType, int]] = {}
        self._last: ref[asyncio.Task[Any]] | None = None

    def install(self, observer: LoopObserver) -> None:
        observer.on_task.append(self._task_created)

    def _task_created(self, task: asyncio.Task[Any], _: object) -> None:
        code = getattr(task.get_coro(), "cr_code", None)
        if code is None or not is_users(code.co_filename):
            return
        last = self._last() if self._last is not None else None
        if last is None or last.done():
            self._codes.setdefault(identity(code), (code, 1))
        else:
            number = identity(code)
            self._codes[number] = (code, self._codes.get(number, (code, 0))[1] + 1)
        self._last = ref(task)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        codes, self._codes, self._last = self._codes, {}, None
        if scope.error is None or not any(isinstance(error, AssertionError) for error in raised_in(scope.error)):
            return ()
        # It reads source, which only those pay for whose test failed.
        from shared_testing.evidence.lost_updates import lost_updates, reachable

        tasks: Counter[LostUpdate] = Counter()
        for code, times in codes.values():
            for function, qualname in reachable(code.co_filename, code.co_firstlineno):
                for each in lost_updates(code.co_filename, function, qualname):
                    tasks[each] += times
        return [_finding(each, times) for each, times in tasks.items() if times > 1]


def _finding(update: LostUpdate, tasks: int) -> Finding:
    what = update.what
    return Finding(
        RULE,
        f"{what} is written from a value that is older than the await before it",
        update.write,
        cause=f"{tasks} tasks ran this at once: each read {what}, waited, and wrote over what the others had written",
        details=(f"it was read at {update.read}: {update.read.source}",) if update.read != update.write else (),
    )
