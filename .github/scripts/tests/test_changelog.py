"""What a CHANGELOG.md must say before its version is released."""

from __future__ import annotations

from datetime import date

import pytest
from changelog import complaints, sections


@pytest.mark.parametrize("day", ["2026-05-31", "2026-06-01", "2026-06-02"])
def test_a_changelog_that_is_in_order(day: str) -> None:
    """East of here it may be tomorrow."""
    text = f"# Changelog\n\n## 1.0.0 - {day}\n\n- New.\n\n## 0.9.0 - 2026-01-01\n\n- Old.\n"
    assert list(complaints(text, "1.0.0", date(2026, 6, 1))) == []


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        ("# Changelog\n", "there is no section; begin it with `## 1.0.0 - 2026-06-01`"),
        ("## Unreleased\n\n- New.\n", "its first section is still `Unreleased`; make it `## 1.0.0 - 2026-06-01`"),
        ("## 0.9.0 - 2026-01-01\n\n- Old.\n", "its first section is 0.9.0, the version is 1.0.0; "),
        ("## 1.0.0\n\n- New.\n", "the section 1.0.0 has no date of the form 2026-05-31"),
        ("## 1.0.0 - 31.5.2026\n\n- New.\n", "the section 1.0.0 has no date of the form 2026-05-31"),
        ("## 1.0.0 - 2026-02-30\n\n- New.\n", "the section 1.0.0 has no date of the form 2026-05-31"),
        ("## 1.0.0 - 2062-05-31\n\n- New.\n", "2062-05-31 is yet to come; make the heading `## 1.0.0 - 2026-06-01`"),
        ("## 1.0.0 - 2026-05-31\n\n## 0.9.0 - 2026-01-01\n\n- Old.\n", "the section 1.0.0 is empty; "),
        ("## unreleased\n\n- New.\n", "its first section is still `Unreleased`; make it `## 1.0.0 - 2026-06-01`"),
        ("## 1.0.0 - 2026-05-31\n\n- New.\n\n## Unreleased\n\n- Lost.\n", "`Unreleased` stands below 1.0.0; "),
    ],
)
def test_the_changelog_tells_of_this_version(changelog: str, said: str) -> None:
    """At its top, with the day of its release, and with nothing left over."""
    (complaint,) = complaints(changelog, "1.0.0", date(2026, 6, 1))
    assert said in complaint


def test_the_sections_of_a_changelog() -> None:
    """A version may be a pre-release; a heading of another level is text."""
    found = sections("# Changelog\n\n## 1.0.0rc1 - 2026-05-31\n\n### Fixed\n\n- It.\n\n## 0.9.0\n- Old.\n")
    assert found == [("1.0.0rc1", date(2026, 5, 31), "### Fixed\n\n- It."), ("0.9.0", None, "- Old.")]
