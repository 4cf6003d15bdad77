"""What a person sees while it runs: a bar on a terminal, nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from user_export.export import Summary


@contextmanager
def progress_bar(*, quiet: bool, expected: int | None) -> Iterator[Callable[[Summary], object]]:
    """Yield the callback that moves the bar. It goes to stderr: stdout stays for the result."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    # A command that draws nothing starts a sixth sooner without it.
    from rich.console import Console
    from rich.progress import Progress, TaskProgressColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    columns = "{task.description}", "{task.completed}", TaskProgressColumn(show_speed=True), TimeElapsedColumn()
    with Progress(
        *Progress.get_default_columns()[1:2], *columns, console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("users exported", total=expected)
        yield lambda summary: bar.update(task, completed=summary.total)
