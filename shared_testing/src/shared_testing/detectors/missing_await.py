"""AT101: a coroutine was made, and never awaited."""

from __future__ import annotations

import inspect
import sys
import warnings
from typing import TYPE_CHECKING, Any

from shared_testing.findings import Finding, Rule
from shared_testing.findings.site import origin_site

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterable, Iterator

    from shared_testing.detectors.detector import Scope
    from shared_testing.findings import Site
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT101",
    title="coroutine never awaited",
    cause="calling an async function only makes a coroutine; its body never ran",
    fix="put 'await' in front of the call",
    explanation=(
        "The call looks done, and nothing was done. A coroutine is true in a condition, so even a check passes.\n"
        "Python warns when the coroutine is destroyed, which may be in another test, or never."
    ),
    bad="""
async def test_saves(store):
    store.save(user)
""",
    good="""
async def test_saves(store):
    await store.save(user)
""",
    lint="RUF029 and mypy's unused-coroutine see the plain statement",
    not_seen="a coroutine that something outside the test keeps alive, without passing it to anybody",
)

# An AsyncMock makes its coroutine five calls below the user's line.
_ORIGIN_DEPTH = 8


class MissingAwait:
    rules = (RULE,)

    def __init__(self) -> None:
        self._dropped: list[tuple[str, Site | None]] = []
        self._depth = 0
        self._warn: Any = None

    def install(self, observer: LoopObserver) -> None:
        self._depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(_ORIGIN_DEPTH)
        # CPython calls this for each coroutine that is destroyed unawaited; asyncio's debug mode relies on it too.
        self._warn = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
        warnings._warn_unawaited_coroutine = self._coroutine_dropped  # type: ignore[attr-defined]

    def uninstall(self) -> None:
        warnings._warn_unawaited_coroutine = self._warn  # type: ignore[attr-defined]
        sys.set_coroutine_origin_tracking_depth(self._depth)

    def start(self, scope: Scope) -> None:
        self._dropped.clear()

    def _coroutine_dropped(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._dropped.append(_described(coroutine))

    def closing(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> Iterable[Finding]:
        return ()

    def finish(self, scope: Scope) -> Iterable[Finding]:
        for coroutine in _kept_by(scope.error):
            self._dropped.append(_described(coroutine))
            # Or the interpreter would warn once more, in some later test.
            coroutine.close()
        found = [Finding(RULE, f"coroutine {name!r} was never awaited", site) for name, site in self._dropped]
        self._dropped.clear()
        return found


def _described(coroutine: Coroutine[Any, Any, Any]) -> tuple[str, Site | None]:
    return coroutine.__qualname__, origin_site(getattr(coroutine, "cr_origin", None))


def _kept_by(error: BaseException | None) -> Iterator[Coroutine[Any, Any, Any]]:
    """A failed test's traceback keeps its locals, and so its coroutines, alive."""
    traceback = error.__traceback__ if error is not None else None
    while traceback is not None:
        for value in traceback.tb_frame.f_locals.values():
            if inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
                yield value
        traceback = traceback.tb_next
