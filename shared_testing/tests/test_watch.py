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

# A lock that somebody has replaced, so that it refuses before it gives anything to await.
REFUSING = """
import asyncio
from contextlib import suppress
from shared_testing import watch

def refuse(lock):
    raise RuntimeError

async def forgotten():
    await asyncio.sleep(0)

async def main():
    asyncio.Lock.acquire = refuse
    async with watch() as findings:
        with suppress(RuntimeError):
            await asyncio.Lock().acquire()
        forgotten()
    print([(finding.rule.code, finding.site.line) for finding in findings])

asyncio.run(main())
"""


def test_what_goes_wrong_in_the_block_is_in_the_list(tmp_path: Path) -> None:
    """A service's debug mode gets the same findings, and a second block starts anew."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[('AT101', 11), ('AT301', 10)]\n[]\n", "")


def test_a_lock_that_refuses_hides_no_line_of_what_follows(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(REFUSING)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[('AT101', 17)]\n", "")
