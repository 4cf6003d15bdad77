"""The lines around a finding."""

from __future__ import annotations

import linecache

_AROUND = 3
_LONGEST = 240


def source_lines(path: str | None, line: int | None) -> list[tuple[int, str]]:
    """Some lines of the file before and behind that one, with their numbers; none if it cannot be read."""
    if path is None or line is None:
        return []
    lines = linecache.getlines(path)
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    shown = [(number, lines[number - 1].rstrip()[:_LONGEST]) for number in range(first, last + 1)]
    # Blank lines at the ends say nothing.
    while shown and shown[0][0] != line and not shown[0][1]:
        shown.pop(0)
    while shown and shown[-1][0] != line and not shown[-1][1]:
        shown.pop()
    return shown
