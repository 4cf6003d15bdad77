"""The command line of a worker: options in, an exit code out."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from task_queue.registry import tasks_of
from task_queue.worker import TaskWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_URL = "QUEUE_URL"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 after a SIGTERM or SIGINT, 1 when it failed or was stopped by a second signal, 130 by
    a second SIGINT, and 2 when it could not begin."""
    options = _parser().parse_args(arguments)
    # As `python -m` does; a console script has the folder that it is in there.
    if "" not in sys.path and (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        tasks = tasks_of(*options.tasks)
    except Exception as error:  # noqa: BLE001 - whatever a module raises when it is imported
        return _said(f"--tasks: {type(error).__name__}: {error}", 2)
    try:
        return asyncio.run(work(options.queue, tasks, options.consumers, for_machines=options.json))
    except ImportError as error:
        return _said(f"{error}; pip install asyncworks-task-queue[distributed]", 2)
    except (ValueError, OSError) as error:
        return _said(str(error), 2)


async def work(
    url: str, tasks: Sequence[Callable[..., Any]], consumers: int = 10, *, for_machines: bool = False
) -> int:
    """Be a worker of the queue at `url` until SIGTERM or SIGINT; return the exit code.

    Raises ImportError without the extra ``distributed``, ValueError for a URL of no queue, and ConnectionError when
    the queue cannot be reached at the start; later on it is waited for.
    """
    from queue_processor import open_queue, serve

    async with open_queue(url) as queue:
        await queue.counts()
        return await serve(TaskWorker(queue, tasks).processor(consumers), queue, for_machines=for_machines)


def _said(message: str, code: int) -> int:
    print(f"task-queue: {message.partition(chr(10))[0]}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="task-queue", description="Run the tasks that others put into a queue.")
    commands = parser.add_subparsers(required=True, metavar="worker")
    worker = commands.add_parser("worker", help="run tasks until SIGTERM")
    add = worker.add_argument
    # A command line can be read by whoever may list the processes; an environment cannot.
    known = os.environ.get(_URL)
    what = f"sqlite:///path/jobs.db?name=…, redis://host:6379/0?name=…; with a password in it, better in ${_URL}"
    add("--queue", required=not known, default=known, metavar="URL", help=what)
    add("--tasks", required=True, action="append", metavar="MODULE", help="functions with @task; may be repeated")
    add("--consumers", type=_at_least_one, default=10, metavar="N", help="tasks at once (%(default)s)")
    add("--json", action="store_true", help="progress for machines: a JSON object a line, on stdout")
    return parser


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: it is 1 or more")
    return number
