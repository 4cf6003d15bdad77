"""The progress bar."""

from __future__ import annotations

import io
import sys

import pytest

from user_export import Summary
from user_export.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what happens, and how far it is."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(quiet=False, expected=10) as move:
        move(Summary(written=10))
    assert "users exported" in terminal.getvalue()
    assert "10" in terminal.getvalue()


@pytest.mark.parametrize(("stream", "quiet"), [(io.StringIO, False), (Terminal, True)])
def test_a_file_or_a_quiet_run_gets_none(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], quiet: bool
) -> None:
    """A log is not filled with bars, and --quiet is quiet."""
    monkeypatch.setattr(sys, "stderr", output := stream())
    with progress_bar(quiet=quiet, expected=None) as move:
        move(Summary(written=10))
    assert output.getvalue() == ""


def test_a_closed_stderr_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """``user-export ... 2>&-``: Python has none then."""
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar(quiet=False, expected=None) as move:
        move(Summary(written=10))
