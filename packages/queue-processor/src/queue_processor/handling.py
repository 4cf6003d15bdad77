"""Know, inside a handler, whose handler it is.

A handler that waits for its own processor waits for itself, for ever. A context variable tells, also in the tasks
that the handler starts, so that such a call can be refused, or let through without waiting.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_owners: ContextVar[tuple[object, ...]] = ContextVar("queue_processor_handling", default=())


def inside_handler_of(owner: object) -> bool:
    """Is this code called from a handler of `owner`, or from a task that such a handler has started?"""
    return any(one is owner for one in _owners.get())


@contextlib.contextmanager
def handling_for(owner: object) -> Iterator[None]:
    """What is called in this block is called from a handler of `owner`."""
    token = _owners.set((*_owners.get(), owner))
    try:
        yield
    finally:
        # In another context than the one it was set in, it is collected as garbage; there is nothing to reset.
        with contextlib.suppress(ValueError):
            _owners.reset(token)
