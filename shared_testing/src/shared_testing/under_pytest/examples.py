"""Tests of hypothesis: each example is explored by itself, so that the examples stay hypothesis's own affair."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared_testing.exploration.schedule import Schedule
from shared_testing.plugin import WATCHER
from shared_testing.under_pytest.exploring import PLAN, SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

SCHEDULES = 20
"""For each example, where nobody says otherwise: a test has a hundred of them, and hypothesis a deadline."""


@contextmanager
def explored_examples(item: pytest.Function) -> Iterator[None]:
    """Inside, the test's function that hypothesis calls runs its example under each schedule of a search."""
    hypothesis: Any = item.obj.hypothesis
    synchronous = hypothesis.inner_test
    # pytest-asyncio has put a function that is not async in the place of the user's.
    explorer = _Examples(item, synchronous.__wrapped__)
    hypothesis.inner_test = explorer.example
    try:
        yield
    finally:
        hypothesis.inner_test = synchronous


class _Examples:
    def __init__(self, item: pytest.Function, function: Any) -> None:
        self._item = item
        self._function = function
        self._plan = item.stash[PLAN]
        self._replay = item.config.stash[SESSION].replay
        self._watcher = item.config.stash.get(WATCHER, None)

    def example(self, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        search = self._plan.search(replay=self._replay, default=SCHEDULES)
        try:
            while (schedule := search.next()) is not None:
                search.ended(self._run(schedule, args, kwargs))
        finally:
            search.close()
        result = search.result
        if result.failure is None:
            return
        if result.deviations or result.cancelled:
            result.failure.add_note(str(result))
        raise result.failure

    def _run(self, schedule: Schedule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BaseException | None:
        with asyncio.Runner(loop_factory=schedule.new_event_loop) as runner:
            loop: Any = runner.get_loop()
            if self._watcher is not None:
                self._watcher.attach(loop)
            try:
                runner.run(self._function(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - it is how this schedule ended
                return error
            finally:
                loop.follow(Schedule())
                if self._watcher is not None:
                    self._watcher.look_before_close(loop)
        return None
