"""The main job, end to end: a live API in bad weather, the ordinary command, the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent / "packages/user-export/examples/demo.py"


def test_the_demo_exports_every_user(tmp_path: Path) -> None:
    """Though requests are throttled, fail and are cut, the file holds every user once, in order."""
    out = tmp_path / "users.jsonl"
    command = [sys.executable, str(DEMO), "--users", "300", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in out.read_text("utf-8").splitlines()] == list(range(1, 301))
    assert "every user once, in order" in done.stdout
