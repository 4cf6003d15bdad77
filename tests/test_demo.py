"""The main job, end to end: a live API in bad weather, the ordinary command, the file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import documents
from documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DEMO = ROOT / "packages/user-export/examples/demo.py"


def shown() -> str:
    """The summary that the root's README shows."""
    return next(block.text for block in documents.blocks_of(ROOT / "README.md") if "hatch run demo" in block.text)


def outline(text: str) -> list[str]:
    """What stands in the summary's box, without its figures."""
    rows = [re.sub(r"\S*\d\S*|\S+\.jsonl", "N", row).split() for row in re.findall(r"(?m)^[┃│](.*)[┃│]$", text)]
    return [" ".join(row) for row in rows]


def test_the_demo_exports_every_user(tmp_path: Path) -> None:
    """Though requests are throttled, fail and are cut, the file holds every user once, in order."""
    out = tmp_path / "users.jsonl"
    command = [sys.executable, str(DEMO), "--users", "300", "--out", out.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in out.read_text("utf-8").splitlines()] == list(range(1, 301))
    assert "every user once, in order" in done.stdout
    assert outline(done.stdout) == outline(shown())
