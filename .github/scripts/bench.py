"""Run every benchmark of the packages and of shared_testing, and print their ratios in one table.

Each ``benchmarks/bench_*.py`` runs in a process of its own and prints one JSON object per
line: the work, the figure, ours, the others', and the bars it must reach. The exit code is 1 when a bar is missed
or a benchmark broke. Options: parts of file names, to run only those; ``--quick`` runs at a tenth of the size, which
shows that the benchmarks work, but is too short to judge by: then only what broke counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = "benchmarks/bench_*.py"


def main(arguments: list[str]) -> int:
    options = [each for each in arguments if each.startswith("--")]
    wanted = [each for each in arguments if not each.startswith("--")]
    if unknown := [each for each in options if each != "--quick"]:
        sys.exit(f"bench: unknown option {', '.join(unknown)}\n\n{__doc__}")
    known = sorted(script for folder in ("packages/*", "shared_testing") for script in ROOT.glob(f"{folder}/{SCRIPTS}"))
    scripts = [script for script in known if not wanted or any(part in script.as_posix() for part in wanted)]
    if not scripts:
        sys.exit(f"bench: no benchmark's path holds {' or '.join(wanted)}")
    rows, broken = [], []
    for script in scripts:
        name = script.relative_to(ROOT).as_posix()
        print(f"running {name} ...", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, script, *options], stdout=subprocess.PIPE, text=True, check=False)
        rows += [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode:
            broken.append(name)
    show(rows)
    missed = [f"{row['work']}: {bar['name']}" for row in rows for bar in row["bars"] if not bar["ok"]]
    for line in (*(f"missed: {each}" for each in missed), *(f"broke: {each}" for each in broken)):
        print(line)
    return 1 if broken or (missed and "--quick" not in options) else 0


def show(rows: list[dict[str, Any]]) -> None:
    table = Table("work", "figure", "ours", "others, in the same run", "must reach", show_lines=True)
    for row in rows:
        others = "\n".join(f"{name}: {figure(value)}" for name, value in row["others"].items())
        bars = "\n".join(
            f"{'[green]yes[/]' if bar['ok'] else '[red]NO [/]'} {bar['name']}: {figure(bar['value'])}"
            for bar in row["bars"]
        )
        table.add_row(row["work"], row["figure"], figure(row["ours"]), others, bars)
    width = None if sys.stdout.isatty() else 150
    Console(width=width).print(table)


def figure(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
