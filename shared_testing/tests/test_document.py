"""The page's text: what strangers have written into a test's name stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from shared_testing.page.document import blob, document, visible

HOSTILE = [
    "</script><script>alert(1)</script>",
    "</script <b id=injected ",
    "<!-- <script>",
    "--><img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)",
    "{{script}} {{data}} \\1 \\g<0>",
    "&lt;script&gt;",
    "]]>\u2028\u2029",
]


class Elements(HTMLParser):
    """The tags of a page, as a parser meets them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = ["document"]
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts[self.tags[-1]] = self.texts.get(self.tags[-1], "") + data


def elements(text: str) -> Elements:
    parser = Elements()
    parser.feed(text)
    return parser


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_strangers_adds_no_element(text: str) -> None:
    """Neither as a value, nor as a key, nor as the title."""
    harmless = elements(document({"a": "b", "c": "d"}, "title"))
    hostile = elements(document({"a": text, text: "d"}, text))
    assert hostile.tags == harmless.tags


@pytest.mark.parametrize("text", HOSTILE)
def test_the_blob_gives_back_what_was_put_in(text: str) -> None:
    """Only what cannot be seen is replaced by its name."""
    assert json.loads(blob({"a": [text]})) == {"a": [visible(text)]}
    assert re.search("[<>&\u2028]", blob({"a": [text]})) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\\u0000b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("line\nof\ttabs", "line\nof\ttabs"),
        ("ärger \U0001f600", "ärger \U0001f600"),
        ("\x1b[31mred", "\\u001b[31mred"),
    ],
)
def test_what_hides_is_named(text: str, shown: str) -> None:
    """A name that turns the reading direction, or ends a string, is shown as it is written."""
    assert visible(text) == shown


def test_the_policy_allows_the_pages_own_script_and_style_alone() -> None:
    """No network, and nothing that came in by another way runs."""
    text = document({}, "title")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[^']{44}'; script-src 'sha256-[^']{44}'; "
        r"base-uri 'none'; form-action 'none'",
        policy[1],
    )
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_nothing_in_the_scripts_takes_text_for_markup() -> None:
    """One such call would undo all the rest."""
    script = elements(document({}, "title")).texts["script"]
    taken = re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser", script
    )
    assert taken == []
