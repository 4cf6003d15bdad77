"""The lines around a finding."""

from __future__ import annotations

import linecache

from shared_testing.findings.syntax import indent

_AROUND = 3
_LONGEST = 240


def source_lines(path: str | None, line: int | None) -> list[tuple[int, str]]:
    """Some lines of the file before and behind that one, with their numbers; none if it cannot be read."""
    if path is None or line is None:
        return []
    lines = [each.rstrip()[:_LONGEST] for each in linecache.getlines(path)]
    if not 1 <= line <= len(lines):
        return []
    inside = indent(lines[line - 1]) > 0
    first = last = line
    # Up to the line that opens the function, and down to its end: what lies beyond is another matter.
    while first > max(1, line - _AROUND) and not (inside and _is_outside(lines[first - 1])):
        first -= 1
    while last < min(len(lines), line + _AROUND) and not (inside and _is_outside(lines[last])):
        last += 1
    while last > line and not lines[last - 1]:
        last -= 1
    while first < line and not lines[first - 1]:
        first += 1
    return [(number, lines[number - 1]) for number in range(first, last + 1)]


def _is_outside(text: str) -> bool:
    return bool(text) and indent(text) == 0
