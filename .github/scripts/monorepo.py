"""What Hatch does not do across packages. Standard library only.

each CMD...   run a command in shared_testing and in every package; fail if any fails
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def folders() -> list[Path]:
    return [ROOT / "shared_testing", *sorted(file.parent for file in ROOT.glob("packages/*/pyproject.toml"))]


def each(*command: str) -> None:
    if not command:
        sys.exit("each: give the command to run in every package, e.g. `monorepo.py each hatch run test`")
    # A hatch that is started by a hatch script would take the outer environment for its own.
    environment = {k: v for k, v in os.environ.items() if k not in ("HATCH_ENV", "HATCH_ENV_ACTIVE")}
    failed = []
    for folder in folders():
        name = folder.relative_to(ROOT).as_posix()
        print(f"== {name}: {' '.join(command)}", flush=True)
        if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    commands = {"each": each}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
