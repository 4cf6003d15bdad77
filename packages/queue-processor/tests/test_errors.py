"""The tree of errors."""

from __future__ import annotations

import inspect

import queue_processor
from queue_processor import QueueProcessorError, Reject, UnfinishedWork, errors


def test_every_error_of_ours_is_of_one_tree() -> None:
    """One except clause catches all; Reject is the handlers' own word, not an error of ours."""
    ours = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]
    assert {one for one in ours if not issubclass(one, QueueProcessorError)} == {Reject}
    assert {one.__name__ for one in ours} <= set(queue_processor.__all__)


def test_unfinished_work_holds_the_items() -> None:
    """As many as its message says."""
    error = UnfinishedWork(["a", "b"])
    assert str(error).startswith("2 accepted item(s)")
    assert error.items == ["a", "b"]
