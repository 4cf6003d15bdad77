"""The detectors without pytest: ``async with watch()``."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import asyncio
from shared_testing import watch

async def forgotten():
    await asyncio.sleep(0)

async def main():
    async with watch() as findings:
        task = asyncio.create_task(asyncio.sleep(3600))
        forgotten()
    print([(finding.rule.code, finding.site.line) for finding in findings])
    task.cancel()
    async with watch() as findings:
        await forgotten()
    print(findings)

asyncio.run(main())
"""


def test_what_goes_wrong_in_the_block_is_in_the_list(tmp_path: Path) -> None:
    """A service's debug mode gets the same findings, and a second block starts anew."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[('AT101', 11), ('AT301', 10)]\n[]\n", "")
