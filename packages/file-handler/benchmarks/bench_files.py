"""Reading and writing lines, beside the plain synchronous loop and beside aiofiles line by line.

Prints one JSON object a row. ``--quick`` runs at a tenth of the size. Every contestant does the same work with each
line (adds up the lengths), on the same file, in the same process, turn about; a ratio is the median over the rounds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import aiofiles

from file_handler import AsyncFileHandler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

Row = dict[str, Any]

LINE = "x" * 96 + "%08d"  # with its line end 105 bytes
HEARTBEAT = 0.001


def bar(name: str, value: float, limit: float, *, at_least: bool = False) -> Row:
    return {
        "name": name,
        "value": round(value, 3),
        "limit": limit,
        "ok": value >= limit if at_least else value <= limit,
    }


def wall(run: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def make_file(path: Path, lines: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, lines, 10_000):
            file.writelines(LINE % number + "\n" for number in range(start, start + 10_000))


# ------------------------------------------------------------------ reading


def read_sync(path: Path) -> int:
    total = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            total += len(line)
    return total


async def read_lines_one_by_one(path: Path) -> int:
    total = 0
    async for line in AsyncFileHandler().iter_lines(path):
        total += len(line)
    return total


async def read_in_batches(path: Path) -> int:
    total = 0
    async for batch in AsyncFileHandler().iter_batches(path):
        for line in batch:
            total += len(line)
    return total


async def read_with_aiofiles(path: Path) -> int:
    total = 0
    async with aiofiles.open(path, encoding="utf-8") as file:
        async for line in file:
            total += len(line)
    return total


async def stall_while(work: Awaitable[object]) -> float:
    """The longest time, in ms, by which a heartbeat came late."""
    worst = 0.0

    async def beat() -> None:
        nonlocal worst
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(HEARTBEAT)
            worst = max(worst, time.perf_counter() - asked - HEARTBEAT)

    heart = asyncio.create_task(beat())
    await work
    heart.cancel()
    return worst * 1000


def peak_memory(path: Path, how: str) -> float:
    """MiB by which reading the file raises the peak of a process of its own."""
    out = subprocess.run([sys.executable, __file__, how, str(path)], capture_output=True, text=True, check=True)
    return float(out.stdout)


def report_peak(how: str, path: Path) -> None:
    read = {"--peak-lines": read_lines_one_by_one, "--peak-batches": read_in_batches}[how]
    asyncio.run(read(Path(__file__)))
    before = high_water_mark()
    asyncio.run(read(path))
    print(high_water_mark() - before)


def high_water_mark() -> float:
    """MiB. Not ru_maxrss, which a child process inherits from its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def reading(folder: Path, scale: float) -> Iterator[Row]:
    lines, few = int(10_000_000 * scale), int(200_000 * scale)
    big, small = folder / "big.txt", folder / "small.txt"
    make_file(big, lines)
    make_file(small, few)
    read_sync(big)  # into the page cache
    rounds = [
        (
            wall(lambda: read_sync(big)),
            wall(lambda: asyncio.run(read_in_batches(big))),
            wall(lambda: asyncio.run(read_lines_one_by_one(big))),
        )
        for _ in range(3)
    ]
    sync = median(first for first, _, _ in rounds)
    batches = median(second / first for first, second, _ in rounds)
    one_by_one = median(third / first for first, _, third in rounds)
    few_sync = median(wall(lambda: read_sync(small)) for _ in range(5))
    per_line = wall(lambda: asyncio.run(read_with_aiofiles(small))) / few_sync
    size = f"{big.stat().st_size / 1e9:.2f} GB, {lines:,} lines"
    yield {
        "work": f"file-handler, read {size}, iter_batches",
        "figure": "wall time / sync text loop",
        "ours": round(batches, 2),
        "others": {"sync text loop, s": round(sync, 2), f"aiofiles line by line ({few:,} lines)": round(per_line, 1)},
        "bars": [
            bar("<= 2 x sync", batches, 2.0),
            bar(">= 100 x ahead of aiofiles", per_line / batches, 100, at_least=True),
        ],
    }
    yield {
        "work": f"file-handler, read {size}, iter_lines",
        "figure": "wall time / sync text loop",
        "ours": round(one_by_one, 2),
        "others": {"sync text loop, s": round(sync, 2), f"aiofiles line by line ({few:,} lines)": round(per_line, 1)},
        "bars": [
            bar("<= 2 x sync", one_by_one, 2.0),
            bar(">= 100 x ahead of aiofiles", per_line / one_by_one, 100, at_least=True),
        ],
    }
    for name, how, read in (
        ("iter_lines", "--peak-lines", read_lines_one_by_one),
        ("iter_batches", "--peak-batches", read_in_batches),
    ):
        stall = asyncio.run(stall_while(read(big)))
        peak = peak_memory(big, how)
        yield {
            "work": f"file-handler, read {size}, {name}",
            "figure": "peak memory growth MiB; longest loop stall ms",
            "ours": [round(peak, 1), round(stall, 1)],
            "others": {},
            "bars": [bar("< 16 MiB", peak, 16), bar("< 50 ms", stall, 50)],
        }
    big.unlink()
    small.unlink()


# ------------------------------------------------------------------ writing


def write_sync(path: Path, lines: list[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def writing(folder: Path, scale: float) -> Iterator[Row]:
    lines = [LINE % number for number in range(int(1_000_000 * scale))]
    path = folder / "written.txt"
    handler = AsyncFileHandler()

    def write_ours(durable: bool) -> None:
        asyncio.run(handler.write_lines(path, lines, durable=durable))

    # A file that is rewritten, as is usual: the first write of each kind does not count.
    ratios, loose, sync = [], [], []
    for turn in range(6):
        plain = wall(lambda: write_sync(path, lines))
        ours = wall(lambda: write_ours(durable=True))
        fast = wall(lambda: write_ours(durable=False))
        if turn:
            ratios.append(ours / plain)
            loose.append(fast / plain)
            sync.append(plain)
    stall = asyncio.run(stall_while(handler.write_lines(path, lines)))
    yield {
        "work": f"file-handler, atomic durable write of {len(lines):,} lines",
        "figure": "wall time / sync writelines",
        "ours": round(median(ratios), 2),
        "others": {
            "sync writelines (not atomic, no fsync), s": round(median(sync), 3),
            "ours with durable=False": round(median(loose), 2),
        },
        "bars": [bar("<= 1.3 x sync writelines", median(ratios), 1.3), bar("stall < 50 ms", stall, 50)],
    }


def small_files(folder: Path, scale: float) -> Iterator[Row]:
    count = max(20, int(200 * scale))
    lines = [LINE % number for number in range(10)]
    handler = AsyncFileHandler()

    async def by_aiofiles(number: int) -> None:
        async with aiofiles.open(folder / f"a{number}", "w") as file:
            await file.write("\n".join(lines))

    async def each(write: Callable[[int], Awaitable[object]]) -> None:
        for number in range(count):
            await write(number)

    ways: dict[str, Callable[[int], Awaitable[object]]] = {
        "aiofiles, in place": by_aiofiles,
        "durable=False": lambda number: handler.write_lines(folder / f"b{number}", lines, durable=False),
        "durable=True": lambda number: handler.write_lines(folder / f"c{number}", lines),
        "append, durable=False": lambda _: handler.append_lines(folder / "log", lines, durable=False),
        "append, durable=True": lambda _: handler.append_lines(folder / "log", lines),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(3):
        for name, way in ways.items():
            times[name].append(wall(lambda way=way: asyncio.run(each(way))) / count * 1e6)  # type: ignore[misc]
    us = {name: round(median(values)) for name, values in times.items()}
    yield {
        "work": f"file-handler, small files (10 lines), {count} one after another",
        "figure": "us per file, durable=True",
        "ours": us.pop("durable=True"),
        "others": us,
        "bars": [],
    }


def rows(*, quick: bool) -> Iterator[Row]:
    scale = 0.1 if quick else 1.0
    with tempfile.TemporaryDirectory(prefix="bench-files-") as name:
        folder = Path(name)
        yield from reading(folder, scale)
        yield from writing(folder, scale)
        yield from small_files(folder, scale)


def main(arguments: list[str]) -> None:
    if arguments and arguments[0].startswith("--peak-"):
        report_peak(arguments[0], Path(arguments[1]))
        return
    for row in rows(quick="--quick" in arguments):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
