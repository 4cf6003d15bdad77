"""What an exception holds: the ones behind it, and the frames that it went through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.findings.site import Site, is_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType


def raised_in(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, those of its group, and those that led to it, each once."""
    waiting, seen = [error], set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__context__, each.__cause__]
        if isinstance(each, BaseExceptionGroup):
            waiting += reversed(each.exceptions)


def innermost_frame(error: BaseException) -> FrameType | None:
    """Where it was raised."""
    walked = list(steps(error))
    return walked[-1].tb_frame if walked else None


def innermost_user_step(error: BaseException) -> TracebackType | None:
    """The user's own line that is nearest to where it was raised."""
    found = None
    for each in steps(error):
        if is_users(each.tb_frame.f_code.co_filename):
            found = each
    return found


def site_of_step(step: TracebackType) -> Site:
    code = step.tb_frame.f_code
    return Site(code.co_filename, step.tb_lineno, code.co_qualname)


def steps(error: BaseException) -> Iterator[TracebackType]:
    """From where it was caught to where it was raised."""
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
