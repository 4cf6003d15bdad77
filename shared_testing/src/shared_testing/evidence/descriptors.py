"""Numbers of open files that the user's code has asked the system for, and who closes each."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.evidence.births import direct_maker

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_testing.findings import Site
    from shared_testing.patches import Patches

# mkstemp() asks for its caller.
_THROUGH = frozenset({tempfile.__file__, os.__file__, "<frozen os>"})


class Descriptor(NamedTuple):
    number: int
    call: str
    """Who returned it: ``os.open()``."""
    site: Site
    file: tuple[int, int]
    """Device and inode: the system gives the number to another file as soon as it is free."""

    def is_open(self) -> bool:
        return file_of(self.number) == self.file


class Descriptors:
    """Those that were made since the last `clear`, and that nothing else has taken over."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self._wanted = wanted
        self._known: dict[int, Descriptor] = {}

    def watch(self, patches: Patches) -> None:
        for name in ("open", "dup", "pipe"):
            patches.set(os, name, self._observed(name, getattr(os, name)))
        patches.set(os, "close", self._observed_close(os.close))

    def clear(self) -> None:
        self._known.clear()

    def taken_over(self, number: object) -> None:
        """A file object or a socket closes it from now on."""
        if isinstance(number, int):
            self._known.pop(number, None)

    def still_open(self) -> list[Descriptor]:
        return [each for each in self._known.values() if each.is_open()]

    def _observed(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        call = f"os.{name}()"

        @functools.wraps(original)
        def observed(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            made = original(*args, **kwargs)
            if self._wanted():
                with contextlib.suppress(Exception):
                    self._note(made if isinstance(made, tuple) else (made,), call)
            return made

        return observed

    def _note(self, numbers: tuple[int, ...], call: str) -> None:
        frame = sys._getframe(2)
        if (site := direct_maker(frame, _THROUGH)) is None:
            return
        if frame.f_code.co_filename == tempfile.__file__:
            if frame.f_code.co_name != "_mkstemp_inner":
                # For a file object, which is seen by itself.
                return
            call = "tempfile.mkstemp()"
        for number in numbers:
            if (file := file_of(number)) is not None:
                self._known[number] = Descriptor(number, call, site, file)

    def _observed_close(self, original: Callable[[int], None]) -> Callable[[int], None]:
        known = self._known

        @functools.wraps(original)
        def observed(fd: int) -> None:
            __tracebackhide__ = True
            original(fd)
            known.pop(fd, None)

        return observed


def file_of(number: int) -> tuple[int, int] | None:
    """Device and inode of an open file; None when the number is free."""
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino
