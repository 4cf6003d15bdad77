"""The main job, on a live API: serve some thousands of fake users, export them, check the file.

The API runs in a process of its own, on loopback, in bad weather: it is slow, throttles, fails and cuts
connections. The export is the ordinary command.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

WEATHER = ["--latency", "0.004", "--throttled", "0.02", "--broken", "0.02", "--reset", "0.01"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="hatch run demo", description=__doc__)
    parser.add_argument("--users", type=int, default=5000, help="how many users the API has (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/users.jsonl"), help="default: %(default)s")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with fake_api(options.users) as url:
        summary = export(url, options.out, options.users)
    if summary["code"]:
        print(f"demo: {summary['message']}", file=sys.stderr)
        return 1
    ids = [json.loads(line)["id"] for line in options.out.read_text(encoding="utf-8").splitlines()]
    intact = ids == list(range(1, options.users + 1))
    show(summary, intact=intact)
    return 0 if intact else 1


@contextmanager
def fake_api(users: int) -> Iterator[str]:
    command = [sys.executable, "-m", "shared_testing.fakes", "--port", "0", "--users", str(users), *WEATHER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()
            if not url:
                sys.exit(f"demo: the fake API did not start; to see why, run: {' '.join(command)}")
            yield url
        finally:
            server.terminate()


def export(url: str, out: Path, users: int) -> dict[str, Any]:
    shown = ["--base-url", url, "--out", str(out), "--concurrency", "32", "--overwrite"]
    print(f"$ user-export {' '.join(shown)}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "user_export", *shown, "--expect", str(users), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        sys.exit(f"demo: user-export ended with code {done.returncode}")
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def show(summary: dict[str, Any], *, intact: bool) -> None:
    table = Table("exported from an API that is slow, throttles, fails and cuts connections", show_header=True)
    rows = {
        "users": f"{summary['total']:,}",
        "retries": f"{summary['retries']:,}",
        "rate": f"{summary['written'] / summary['seconds']:,.0f} users/s",
        "time": f"{summary['seconds']:.1f} s",
        "file": summary["out"],
        "check": "every user once, in order" if intact else "users are missing or doubled",
    }
    for name, value in rows.items():
        table.add_row(f"{name:<8} {value}")
    Console().print(table)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
