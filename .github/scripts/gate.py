"""The one required check of a pull request: did all that had to run succeed?

Reads the environment variable NEEDS, which holds `toJSON(needs)` of the gate's job. A job that failed or was cancelled
closes the gate. So does a skipped one, unless it is the suite of single packages and the plan named no package: a job
is also skipped where one that it waits for has failed, and GitHub takes a skipped check for a passed one.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

PLAN = "plan"
# The jobs that run once for each package of the plan, and so not at all if it names none.
PER_PACKAGE = frozenset({"suite", "oldest", "wheel"})


def complaints(needs: dict[str, dict[str, Any]]) -> list[str]:
    planned = needs.get(PLAN, {}).get("outputs", {}).get("packages")
    may_be_skipped = PER_PACKAGE if planned == "[]" else frozenset[str]()
    found = [] if PLAN in needs else [f"the gate does not wait for the job {PLAN}: add it to its `needs`"]
    if not planned:
        found.append(f"the job {PLAN} named no packages, not even []: look at its log")
    for job, ran in needs.items():
        result = ran["result"]
        if result == "skipped" and job not in may_be_skipped:
            found.append(f"{job} was skipped, though the plan ({planned}) asks for it: a job that it needs has failed")
        elif result not in ("success", "skipped"):
            found.append(f"{job}: {result}; look at its log")
    return found


def main() -> int:
    found = complaints(json.loads(os.environ["NEEDS"]))
    for complaint in found:
        print(f"gate: {complaint}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
