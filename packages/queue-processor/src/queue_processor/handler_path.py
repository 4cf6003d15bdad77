"""The handler that a command line names."""

from __future__ import annotations

import importlib
import inspect
import sys
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_processor.queues.message_queue import Message


class NoHandler(Exception):
    """The name leads to nothing that could handle a message; it says why, in one line."""


def load_handler(path: str) -> Callable[[Message], Awaitable[Any]]:
    """The ``async def`` at ``package.module:function``. Raises NoHandler."""
    module_name, colon, name = path.partition(":")
    if not (module_name and colon and name):
        raise NoHandler(f"--handler {path}: give it as package.module:function")
    if "" not in sys.path and (here := str(Path.cwd())) not in sys.path:
        # As `python -m` does; a console script has the folder that it is in there.
        sys.path.insert(0, here)
    try:
        found = attrgetter(name)(importlib.import_module(module_name))
    except AttributeError as error:
        raise NoHandler(f"--handler {path}: {error}") from error
    except Exception as error:
        raise NoHandler(f"--handler {path}: importing {module_name}: {type(error).__name__}: {error}") from error
    if not (inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(getattr(found, "__call__", None))):  # noqa: B004 - whether calling it is async
        raise NoHandler(f"--handler {path}: it is not async; make it `async def {name}(message)`")
    handler: Callable[[Message], Awaitable[Any]] = found
    return handler
