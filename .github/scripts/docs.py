"""Write what can be written by itself: the pages of the rules, and outputs that documents do not show yet.

``hatch run docs`` writes ``shared_testing/docs/rules/`` from the rules themselves, fills in each run of pytest that
shows no output yet (write ``$ pytest``, and nothing below it), and counts what the documents show. Cut what it has
filled in: a line ``...`` stands for any number of lines. ``hatch run docs --again`` renews the outputs that are no
longer true, but for those that were cut. Whether all of it is true says ``hatch run test
tests/test_documents.py tests/test_rule_examples.py``.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import documents
from documents import ROOT, RULE_PAGES

from shared_testing.detectors.registry import RULES

if TYPE_CHECKING:
    import re

    from documents import Block
    from forked_pytest import ForkedPytest

    from shared_testing.findings.rule import Rule

SOURCES = ROOT / "shared_testing" / "src" / "shared_testing" / "detectors"
CORPUS = ROOT / "shared_testing" / "tests" / "corpus"


def pages() -> dict[Path, str]:
    """The text of each file of the folder of rules."""
    return {RULE_PAGES / f"{code}.md": _page(rule) for code, rule in RULES.items()} | {
        RULE_PAGES / "README.md": _index()
    }


def _page(rule: Rule) -> str:
    shown = [f"[{file.stem}]({_link(file)})" for file in sorted(CORPUS.glob(f"{rule.code}*.py"))]
    return (
        f"# {rule.code} {rule.title}\n\n"
        f"{rule.explanation}\n\n"
        f"- Cause: {rule.cause}\n"
        f"- Fix: {rule.fix}\n\n"
        f"Bad:\n\n{_fenced(rule.bad)}\n"
        f"Good:\n\n{_fenced(rule.good)}\n"
        f"Seen without running by: {rule.lint}\n\n"
        f"Not seen: {rule.not_seen}\n\n"
        "---\n\n"
        f"`pytest --explain {rule.code}` prints this page. More of it, each with the line that is told:\n"
        f"{', '.join(shown)}. What looks like it and is not told stands there too. [All rules](README.md)\n"
    )


def _index() -> str:
    rows = [f"| [{code}]({code}.md) | {rule.title} | {rule.fix} |" for code, rule in RULES.items()]
    return (
        "# The rules\n\n"
        "Each has a code, which markers and settings take, and which no other rule will ever have. These pages are\n"
        "what `pytest --explain CODE` prints; `hatch run docs` writes them.\n\n"
        "| code | pitfall | what to do |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _fenced(code: str) -> str:
    lines = code.strip("\n")
    return f"```python\n{lines}\n```\n"


def _link(file: Path) -> str:
    return f"../../{file.relative_to(ROOT / 'shared_testing').as_posix()}"


def write_pages() -> None:
    RULE_PAGES.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for stale in set(RULE_PAGES.glob("*.md")) - set(wanted):
        stale.unlink()
    for file, text in wanted.items():
        if not file.is_file() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")
            print(f"docs: wrote {file.relative_to(ROOT)}")


# ---------------------------------------------------------------------- outputs


def fill_in(*, again: bool) -> None:
    """Put what pytest prints below each ``$ pytest`` that shows nothing, or, if asked to, no longer the truth."""
    with tempfile.TemporaryDirectory() as place, documents.forked(Path(place)) as server:
        for file in documents.files():
            text = renewed(file, server, again=again)
            if text != file.read_text("utf-8"):
                file.write_text(text, "utf-8")
                print(f"docs: filled in {file.relative_to(ROOT)}")


def renewed(file: Path, server: ForkedPytest, *, again: bool) -> str:
    """The text of that document, its outputs filled in."""
    blocks = documents.blocks_of(file)

    def fill(found: re.Match[str]) -> str:
        return _filled(found, next(blocks), server, again=again)

    return documents.FENCE.sub(fill, file.read_text("utf-8"))


def _filled(found: re.Match[str], block: Block, server: ForkedPytest, *, again: bool) -> str:
    if block.kind != "run":
        return found[0]
    text = block.text
    for command, shown in block.steps:
        cut = "..." in shown.splitlines()
        if not shown.strip() or (again and not cut):
            printed = documents.run(server, block, command)
            if not documents.agrees(shown, printed):
                text = text.replace(f"$ {command}\n{shown}", f"$ {command}\n{printed}\n")
    return found[0].replace(found["text"], text)


def main(arguments: list[str]) -> None:
    write_pages()
    fill_in(again=arguments == ["--again"])
    kinds = Counter(block.kind for block in documents.blocks())
    said = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(f"docs: {kinds.total()} blocks in {len(documents.files())} files: {said}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except documents.NoSuchKind as error:
        sys.exit(f"docs: {error}")
