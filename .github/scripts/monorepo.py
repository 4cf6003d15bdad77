"""What Hatch does not do across packages. Standard library only.

each CMD...   run a command in shared_testing and in every package; fail if any fails
"""

from __future__ import annotations

import os
import subprocess
import sys

from projects import read_projects


def each(*command: str) -> None:
    if not command:
        sys.exit("each: give the command to run in every package, e.g. `monorepo.py each hatch run test`")
    failed = []
    for project in read_projects():
        print(f"== {project.path}: {' '.join(command)}", flush=True)
        if subprocess.run(command, cwd=project.folder, env=environment(), check=False).returncode:
            failed.append(project.path)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def environment() -> dict[str, str]:
    """For a hatch that is started by a hatch script: it would take the outer environment for its own."""
    return {key: value for key, value in os.environ.items() if key not in ("HATCH_ENV", "HATCH_ENV_ACTIVE")}


if __name__ == "__main__":
    commands = {"each": each}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
