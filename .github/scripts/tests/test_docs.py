"""A block that nothing would check is refused, a lie is one, and what is left empty is filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import docs
import documents
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from forked_pytest import ForkedPytest

TESTS = "```python\ndef test_one(): ...\n```\n"


def kinds(text: str, folder: Path) -> list[str]:
    file = folder / "page.md"
    file.write_text(text, "utf-8")
    return [block.kind for block in documents.blocks_of(file)]


def test_each_kind_is_told_from_the_others(tmp_path: Path) -> None:
    """By its language, its first line, and what stands before it."""
    text = (
        "```python\nprint(1)\n```\n```\n1\n```\n"
        + TESTS
        + "```\n$ pytest -q\n1 passed\n```\n"
        + "```\n$ hatch run test\n```\n```toml\n[pytest]\n```\n"
        + "- in a list\n\n  ```python\n  print(2)\n  ```\n"
    )
    assert kinds(text, tmp_path) == ["program", "printed", "tests", "run", "command", "configuration", "program"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```rust\nfn main() {}\n```\n", "nothing checks a block in the language 'rust'"),
        ("```py\nprint(1)\n```\n", "nothing checks a block in the language 'py'"),
        ("```console\n$ pytest\n```\n", "nothing checks a block in the language 'console'"),
        ("```\n1 passed\n```\n", "an output, but of what?"),
        (TESTS + "```\n1 passed\n```\n", "an output, but of what?"),
        ("```\n$ pytest\n1 passed\n```\n", "no tests stand before"),
        ("~~~\nwhat\n~~~\n", "an output, but of what?"),
    ],
)
def test_what_nothing_would_check_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """With its file and its line."""
    with pytest.raises(documents.NoSuchKind, match=r"page\.md:\d+") as caught:
        kinds(text, tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("1 passed in 0.02s", "1 passed in 12.51s (0:00:12)"),
        ("<Queue at 0x7f00dead>", "<Queue at 0x55aa1234beef>"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:43117/"),
        ("== FAILURES ==\n__ test_a __", "== FAILURES ==\n__ test_a __"),
        ("=== FAILURES ===", "=================== FAILURES ==================="),
        ("first\n...\nlast", "first\nsecond\nthird\nlast"),
        ("first\n...\nlast", "first\nlast"),
        ("sys:1: RuntimeWarning: never", "<sys>:0: RuntimeWarning: never"),
        ("    user['id']\n    ^^^^\nE   TypeError", "    user['id']\nE   TypeError"),
        ("lib/python3.11/selectors.py:468: in select", "lib/python3.13/selectors.py:451: in select"),
    ],
)
def test_what_varies_is_not_compared(shown: str, printed: str) -> None:
    """Times, addresses, ports, rulers, Python's own lines, and what is left out."""
    assert documents.agrees(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("1 passed in 0.02s", "1 failed in 0.02s"),
        ("--> test_it.py:6 in f", "--> test_it.py:7 in f"),
        ("first\n...\nlast", "first\nsecond"),
        ("first\n...\nlast", "zeroth\nfirst\nlast"),
        ("first\nlast", "first\nsecond\nlast"),
        ("", "1 passed"),
    ],
)
def test_a_lie_is_seen(shown: str, printed: str) -> None:
    """A result, a line number, a line that is missing, one that nobody has left out."""
    assert not documents.agrees(shown, printed)


def test_what_is_empty_is_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown already stays, unless it is to be renewed; what was cut stays cut."""
    monkeypatch.setattr(documents, "run", lambda *_: "the truth")
    file = tmp_path / "page.md"
    file.write_text(TESTS + "```\n$ pytest -q\n$ pytest -v\na lie\n$ pytest -x\n...\ncut\n```\nend\n", "utf-8")

    def filled(*, again: bool) -> str:
        return docs.renewed(file, cast("ForkedPytest", None), again=again)

    once = "```\n$ pytest -q\nthe truth\n$ pytest -v\na lie\n$ pytest -x\n...\ncut\n```\nend\n"
    assert filled(again=False) == TESTS + once
    assert filled(again=True) == TESTS + once.replace("a lie", "the truth")
