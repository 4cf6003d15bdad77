"""What a person sees while it runs: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from user_export.export import Summary


@contextmanager
def progress_bar(*, quiet: bool, expected: int | None) -> Iterator[Callable[[Summary], object]]:
    """Yield the callback that moves the bar. The bar goes to stderr, so that stdout stays for the result."""
    console = Console(file=sys.stderr)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("exporting users", total=expected)
        yield lambda summary: bar.update(task, completed=summary.total)
