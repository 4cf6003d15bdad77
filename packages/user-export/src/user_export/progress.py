"""What a person sees while it runs: a bar on a terminal, nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TaskProgressColumn, TimeElapsedColumn

from user_export.export import Summary


@contextmanager
def progress_bar(*, quiet: bool, expected: int | None) -> Iterator[Callable[[Summary], object]]:
    """Yield the callback that moves the bar. It goes to stderr: stdout stays for the result."""
    console = Console(file=sys.stderr)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    columns = "{task.description}", "{task.completed}", TaskProgressColumn(show_speed=True), TimeElapsedColumn()
    with Progress(*Progress.get_default_columns()[1:2], *columns, console=console) as bar:
        task = bar.add_task("users exported", total=expected)
        yield lambda summary: bar.update(task, completed=summary.total)
