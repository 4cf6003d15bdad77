"""AT702: gather() raised, and the others ran on."""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.errors import raised_in
from shared_testing.findings import Finding, Rule
from shared_testing.findings.site import is_users, last_user_site, site_of_frame
from shared_testing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Site
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT702",
    title="gather's siblings ran on after the error",
    cause="gather() raises the first exception at once, and cancels none of the others",
    fix="start them in an asyncio.TaskGroup, which cancels the others; or wait for all by return_exceptions=True",
    explanation=(
        "The caller goes on as if the work had ended, while the rest of it still writes, sends or holds things.\n"
        "What the others return is lost, and so is what they raise: gather() marks it as seen."
    ),
    bad="""
try:
    await asyncio.gather(*(copy(file) for file in files))
except OSError:
    remove(target)  # while others still write to it
""",
    good="""
try:
    async with asyncio.TaskGroup() as group:
        for file in files:
            group.create_task(copy(file))
except* OSError:
    remove(target)
""",
    lint="none",
    not_seen=(
        "siblings that end with the same error as the first; a caller that waits for given tasks without awaiting\n"
        "them; a gather() inside a library; on uvloop, siblings that have ended before the test did"
    ),
    other_loops="part",
)


class _Group:
    """One call of gather() that has failed while others were still running."""

    def __init__(
        self, site: Site, error: BaseException, given: frozenset[int], siblings: list[asyncio.Task[Any]]
    ) -> None:
        self.site, self.error, self.siblings = site, error, siblings
        self.given = given
        """The tasks that the caller made: it can wait for them, and whoever leaks them is told by AT301."""
        self.ran_on: list[asyncio.Task[Any]] = []
        self.handled = False


class GatherSiblings(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        self._patches = Patches()
        self._original: Callable[..., Any] | None = None
        self._looked = False

    def install(self, observer: LoopObserver) -> None:
        self._original = original = asyncio.gather
        noted = self._noted

        @functools.wraps(original)
        def observed_gather(*awaitables: Any, return_exceptions: bool = False) -> Any:
            outer = original(*awaitables, return_exceptions=return_exceptions)
            if not return_exceptions:
                noted(outer, awaitables, sys._getframe(1))
            return outer

        self._observed = observed_gather
        self._patches.set(asyncio, "gather", observed_gather)
        self._patches.set(asyncio.tasks, "gather", observed_gather)

    def uninstall(self) -> None:
        self._patches.undo()
        self._groups.clear()

    def start(self, scope: Scope) -> None:
        self._groups = []
        if not self._looked:
            self._looked = True
            for module in list(sys.modules.values()):
                # A conftest is imported before any plugin can patch what it takes by name.
                names = getattr(module, "__dict__", {})
                if names.get("gather") is self._original and is_users(names.get("__file__") or "<"):
                    self._patches.set(module, "gather", self._observed)

    def _noted(self, outer: Any, awaitables: tuple[Any, ...], frame: FrameType) -> None:
        try:
            # A library's gather() is not for the user to mend.
            if outer.done() or not hasattr(outer, "_children") or not is_users(frame.f_code.co_filename):
                return
            given = frozenset(id(each) for each in awaitables if asyncio.isfuture(each))
            outer.add_done_callback(functools.partial(self._gathered, site_of_frame(frame), given))
        except Exception:  # noqa: BLE001 - the user's gather() must not fail for what we note
            return

    def _gathered(self, site: Site, given: frozenset[int], outer: Any) -> None:
        # Not exception(): that would mark it as retrieved.
        error = getattr(outer, "_exception", None)
        if error is None or outer.cancelled() or isinstance(error, asyncio.CancelledError):
            return
        siblings = [each for each in _tasks_of(outer) if not each.done()]
        group = _Group(site, error, given, siblings)
        for sibling in siblings:
            sibling.add_done_callback(functools.partial(_ended, group))
        if siblings:
            self._groups.append(group)

    def closing(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> Iterable[Finding]:
        mine = [each for each in self._groups if each.siblings[0].get_loop() is loop]
        self._groups = [each for each in self._groups if each not in mine]
        return _findings(mine, scope)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        groups, self._groups = self._groups, []
        return _findings(groups, scope)


def _ended(group: _Group, sibling: asyncio.Task[Any]) -> None:
    if sibling.cancelled() or _is_awaited(sibling):
        group.handled = True
    elif not _is_like(getattr(sibling, "_exception", None), group.error):
        group.ran_on.append(sibling)


def _is_awaited(sibling: asyncio.Task[Any]) -> bool:
    """Whether somebody has begun to wait for it after gather() had failed: they are called after us."""
    ready = getattr(sibling.get_loop(), "_ready", None)
    if ready is None:
        return True
    return any(handle._args and handle._args[0] is sibling for handle in list(ready))


def _is_like(error: BaseException | None, first: BaseException) -> bool:
    """A second one of the same failure, such as a server that is down, has done nothing more."""
    return error is not None and type(error) is type(first)


def _tasks_of(outer: Any) -> Iterator[asyncio.Task[Any]]:
    for child in dict.fromkeys(getattr(outer, "_children", ())):
        if isinstance(child, asyncio.Task):
            yield child
        else:
            yield from _tasks_of(child)


def _findings(groups: list[_Group], scope: Scope) -> list[Finding]:
    # A test that ended by this very error has had no chance to look after the others.
    seen = set(map(id, raised_in(scope.error)))
    return [found for each in groups if id(each.error) not in seen for found in _finding(each)]


def _finding(group: _Group) -> Iterator[Finding]:
    running = [each for each in group.siblings if not each.done()]
    if group.handled or any(each.cancelling() for each in running):
        return
    left = [each for each in running if id(each) not in group.given]
    if names := [_name(each) for each in (*group.ran_on, *left)]:
        first = ", ".join(map(repr, dict.fromkeys(names)))
        kind, text = type(group.error).__name__, str(group.error)
        told = f"{kind}: {text}" if text else kind
        raised = last_user_site(group.error.__traceback__)
        details = [f"{kind} raised at {raised}"] if raised is not None else []
        if left:
            details.append(f"{len(left)} of them still running at the end")
        yield Finding(RULE, f"{first} ran on after gather() had raised {told}", group.site, details=tuple(details))


def _name(task: asyncio.Task[Any]) -> str:
    name: str = getattr(task.get_coro(), "__qualname__", task.get_name())
    return name.rpartition("<locals>.")[2]
