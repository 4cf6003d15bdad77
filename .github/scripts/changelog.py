"""Read a CHANGELOG.md: `## Unreleased` while something is being made, `## 1.2.0 - 2026-05-31` from its release on."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

UNRELEASED = "Unreleased"

_HEADING = re.compile(r"^## +(?P<title>\S+)(?: +- +(?P<date>.*\S))? *$", re.MULTILINE)


class Section(NamedTuple):
    """`title` is a version, or "Unreleased"; `date` is None where none is written, or none that exists."""

    title: str
    date: date | None
    text: str


def sections(changelog: str) -> list[Section]:
    """The newest first, as they stand in the file."""
    headings = list(_HEADING.finditer(changelog))
    ends = [*(each.start() for each in headings), len(changelog)][1:]
    return [
        Section(
            UNRELEASED if each["title"].lower() == UNRELEASED.lower() else each["title"],
            _date(each["date"]),
            changelog[each.end() : end].strip(),
        )
        for each, end in zip(headings, ends, strict=True)
    ]


def complaints(changelog: str, version: str, today: date) -> Iterator[str]:
    """Why it does not tell of this version's release, and what to write."""
    heading = f"## {version} - {today}"
    found = sections(changelog)
    if not found:
        yield f"there is no section; begin it with `{heading}`"
        return
    top = found[0]
    if top.title == UNRELEASED:
        yield f"its first section is still `{UNRELEASED}`; make it `{heading}`"
    elif top.title != version:
        yield (
            f"its first section is {top.title}, the version is {version}; tell what is new under `{heading}`, or set "
            f"the version in pyproject.toml: hatch version …"
        )
    elif top.date is None:
        yield f"the section {version} has no date of the form 2026-05-31; make its heading `{heading}`"
    elif top.date > today + timedelta(days=1):  # east of us it is tomorrow already
        yield f"{top.date} is yet to come; make the heading `{heading}`"
    if not top.text:
        yield f"the section {top.title} is empty; say what the release brings to its users"
    if any(older.title == UNRELEASED for older in found[1:]):
        yield f"`{UNRELEASED}` stands below {top.title}; move what it says into that section"


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
