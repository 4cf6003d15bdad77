"""Tell a test's own code from the code that it tests.

A test may read a file or compute for a while: it holds up nobody but itself. What it tests may not.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

Place = Literal["test", "helper", "code"]
"""`test`: in the body of the test or of a fixture. `helper`: in a function that this body calls, or that stands in
the test's file while the code under test stands in others. `code`: anything else, which is the code under test."""

_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_CALLBACK = asyncio.Handle._run.__code__


class OwnCode:
    """What belongs to one test, which is pytest's item; outside pytest nothing does."""

    def __init__(self, test: Any) -> None:
        definitions = getattr(getattr(test, "_fixtureinfo", None), "name2fixturedefs", {})
        functions = [getattr(test, "obj", None)]
        functions += [getattr(each, "func", None) for several in definitions.values() for each in several]
        self._bodies = {code for each in functions if (code := code_of(each)) is not None}
        self._files = _helping_files(getattr(test, "module", None))

    def place(self, user: FrameType) -> Place:
        """Where the user's frame stands."""
        if self._is_body(user.f_code):
            return "test"
        if _is_in(user.f_code.co_filename, self._files):
            return "helper"
        frame: FrameType | None = user
        while frame is not None and frame.f_code is not _CALLBACK:
            code = frame.f_code
            if code.co_flags & _ASYNC and is_users(code.co_filename):
                return "helper" if self._is_body(code) or _is_in(code.co_filename, self._files) else "code"
            frame = frame.f_back
        return "code"

    def _is_body(self, code: CodeType) -> bool:
        return code in self._bodies or any(
            code.co_filename == each.co_filename and code.co_qualname.startswith(f"{each.co_qualname}.<locals>.")
            for each in self._bodies
        )


def _is_in(path: str, files: frozenset[str]) -> bool:
    return path in files or (bool(files) and Path(path).name == "conftest.py")


def _helping_files(module: Any) -> frozenset[str]:
    """The test's file, if it tests code that stands elsewhere; else its functions are what it tests."""
    own = getattr(module, "__file__", None)
    if own is None or not any(each != own and Path(each).name != "conftest.py" for each in _imported_files(module)):
        return frozenset()
    return frozenset({own})


def _imported_files(module: Any) -> Iterator[str]:
    """The user's files from which the module has imported something."""
    for value in list(vars(module).values()):
        name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        path = getattr(sys.modules.get(name), "__file__", None) if isinstance(name, str) else None
        if path is not None and is_users(path):
            yield path


def code_of(function: Any) -> CodeType | None:
    try:
        function = inspect.unwrap(function)
    except (TypeError, ValueError):
        return None
    return getattr(function, "__code__", None)
