"""Who hears what asyncio writes to its log.

A detector that tells of an error keeps asyncio's record of it from the log: one text is enough. Not from a log that
somebody looks at.
"""

from __future__ import annotations

import logging
from asyncio import log
from typing import TYPE_CHECKING, Any

from shared_testing.evidence.own_code import code_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

    from shared_testing.detectors.detector import Scope


def body_of(test: Any) -> CodeType | None:
    """The code of the function of pytest's item."""
    return code_of(getattr(test, "function", None))


def reads_log(scope: Scope) -> bool:
    """Whether the test itself looks at the log just now: what stands there is its own to judge.

    It asks for caplog, is in an ``assertLogs()``, or has put a mock in the logger's place.
    """
    if not isinstance(log.logger, logging.Logger):
        return True
    if not scope.tears_down and _asks_for("caplog", body_of(scope.test)):
        return True
    return any(_package(each) == "unittest" for each in _handlers())


def _asks_for(fixture: str, body: CodeType | None) -> bool:
    return body is not None and fixture in body.co_varnames[: body.co_argcount + body.co_kwonlyargcount]


def is_heard() -> bool:
    """Whether there is a handler of the program's. pytest's own show the log of a test that fails."""
    return any(_package(each) != "_pytest" for each in _handlers())


def _handlers() -> Iterator[logging.Handler]:
    """Those of asyncio's logger, and of the loggers that it passes its records on to."""
    logger: logging.Logger | None = log.logger
    while logger is not None:
        yield from (each for each in logger.handlers if not isinstance(each, logging.NullHandler))
        logger = logger.parent if logger.propagate else None


def _package(handler: logging.Handler) -> str:
    return type(handler).__module__.partition(".")[0]
