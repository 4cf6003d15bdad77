"""What dies in our collection and complains: pytest would tell it in the setup of the next test, who is innocent."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import get_reraise_exceptions
from _pytest.unraisableexception import collect_unraisable, unraisable_exceptions

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

    from shared_testing.loop.survivors import Survivors

_POSTPONED = pytest.StashKey[list[Any]]()


def after_test(item: pytest.Item, reports: list[pytest.TestReport], survivors: Survivors) -> None:
    """To be called when garbage was just collected."""
    _tell_unraisable(item, reports)
    survivors.after_test()
    _postpone_unraisable(item.config)


@contextmanager
def outcomes_in_finalizers() -> Iterator[list[BaseException]]:
    """Those that Python drops. pytest-timeout raises one wherever the signal falls, and who runs a test again and again
    frees a loop each time.
    """
    lost: list[BaseException] = []
    before = sys.unraisablehook

    def note(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, pytest.fail.Exception):
            lost.append(unraisable.exc_value)
        else:
            before(unraisable)

    sys.unraisablehook = note
    try:
        yield lost
    finally:
        sys.unraisablehook = before


def _tell_unraisable(item: pytest.Item, reports: list[pytest.TestReport]) -> None:
    """Tell what our collection at the end of this test has brought to light, as an error of its teardown."""
    config = item.config
    if not _complaints(config):
        return
    tell = partial(collect_unraisable, config)
    call = pytest.CallInfo.from_call(tell, "teardown", reraise=get_reraise_exceptions(config))
    if call.excinfo is not None and reports[-1].passed:
        reports[-1] = item.ihook.pytest_runtest_makereport(item=item, call=call)


def _postpone_unraisable(config: pytest.Config) -> None:
    """The long collection finds what any of the tests before has left: tell it at the end, to nobody's charge."""
    if complaints := _complaints(config):
        config.stash.setdefault(_POSTPONED, []).extend(complaints)
        complaints.clear()


def tell_postponed(config: pytest.Config) -> None:
    """Hand them back to pytest, which tells them last of all."""
    if (complaints := config.stash.get(unraisable_exceptions, None)) is not None:
        postponed = config.stash.get(_POSTPONED, None)
        complaints.extend(postponed or [])


def _complaints(config: pytest.Config) -> deque[Any] | None:
    return config.stash.get(unraisable_exceptions, None)
