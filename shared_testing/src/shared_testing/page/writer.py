"""Write the page at the end of a run, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_testing.page.collected import Collected

if TYPE_CHECKING:
    from collections.abc import Callable


class PageWriter:
    """A pytest plugin that gathers the reports, and writes the page when the session ends, however it does."""

    def __init__(self, start: Path, named: str, make: Callable[[Collected, int], str]) -> None:
        """`named`: what the user has written, from `start`; `make`: the page, also from the exit status."""
        self._path = start / named
        self._named = named
        self._make = make
        self._collected = Collected(start)
        self._mistake: Exception | None = None
        self.says = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._take(self._collected.add, report)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._take(self._collected.add_uncollected, report)

    def _take(self, take: Callable[[Any], None], report: Any) -> None:
        try:
            take(report)
        except Exception as error:  # noqa: BLE001 - told at the end; a mistake of ours must not end the run of others
            self._mistake = self._mistake or error

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        option = f"--findings-html={self._named}"
        try:
            write_whole(self._path, self._page(exitstatus))
        except OSError as error:
            self.says = (
                f"{option}: the page could not be written to {self._path} ({error.strerror or error}); the tests' "
                "results stand. Name a file in a folder that can be written, on a disk with room, and run again"
            )
        except Exception as error:  # noqa: BLE001 - as in _take
            self.says = (
                f"{option}: the page could not be made ({type(error).__name__}: {error}); the tests' results stand. "
                "Please report it; --findings-json=FILE has the findings"
            )
        else:
            self.says = f"async findings as a page: {self._path}"

    def _page(self, exit_status: int) -> str:
        if self._mistake is not None:
            raise self._mistake
        return self._make(self._collected, int(exit_status))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.write_line(self.says)


def write_whole(path: Path, text: str) -> None:
    """Beside the file first, then in its place: who has it open, or reads it now, has a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The last link of a chain is what is meant, not the name of the first.
    target = path.resolve()
    if target.exists() and not target.is_file():
        # /dev/stdout, a pipe: nobody wants that replaced. A folder says so by itself.
        target.write_text(text, encoding="utf-8")
        return
    handle, draft = tempfile.mkstemp(prefix=f".{target.name[:60]}.", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor
            file.write(text)
        Path(draft).chmod(0o666 & ~_umask())
        Path(draft).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(draft).unlink()
        raise


def _umask() -> int:
    """mkstemp() makes files for their owner alone; a page is for whoever may read the others."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
