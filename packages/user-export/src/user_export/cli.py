"""The command line: options in, an exit code out."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from file_handler import AsyncFileHandler, FileHandlerError
from queue_processor import MessageQueue, QueueProcessorError, open_queue
from task_queue import QueueEngine
from user_client import UserAPIClient, UserAPIError
from user_export.api_options import QUEUE, add_api_options, log_in, make_client
from user_export.checkpoint import NotAnExport, find_checkpoint
from user_export.export import Exporter, ExportFailed, Summary
from user_export.lock import AlreadyRunning, only_writer
from user_export.progress import progress_bar

Opened = AbstractAsyncContextManager[MessageQueue]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 (complete), 1 (failed), 2 (wrong options) or 128 + the signal that stopped it."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
        client = make_client(options)
        opened = open_queue(options.queue) if options.queue else None
    except (ValueError, ImportError) as error:
        parser.error(str(error))
    started = time.monotonic()
    summary = Summary()
    code, message = asyncio.run(_until_signalled(options, client, opened, summary))
    try:
        _report(options, code, message, summary, time.monotonic() - started)
    except BrokenPipeError:
        # The reader has left; python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


async def _until_signalled(
    options: argparse.Namespace, client: UserAPIClient, opened: Opened | None, summary: Summary
) -> tuple[int, str]:
    received: list[signal.Signals] = []
    task = asyncio.create_task(_export(options, client, opened, summary))

    def stop(signalled: signal.Signals) -> None:
        received.append(signalled)
        task.cancel()

    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop, each)
    reason, code = "", 1
    try:
        await task
    except asyncio.CancelledError:
        reason, code = f"stopped by {received[0].name}", 128 + received[0]
    except (AlreadyRunning, NotAnExport) as error:
        return 1, str(error)
    except (ExportFailed, UserAPIError, FileHandlerError, QueueProcessorError, OSError) as error:
        reason = str(error)
    if not reason:
        return 0, f"{summary.total} users are in {options.out}"
    return code, f"{reason}; {summary.total} users are in {options.out}, go on with --resume"


async def _export(options: argparse.Namespace, client: UserAPIClient, opened: Opened | None, summary: Summary) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(only_writer(options.out))
        files = await stack.enter_async_context(AsyncFileHandler())
        await stack.enter_async_context(client)
        await log_in(client, options)
        engine = QueueEngine(await stack.enter_async_context(opened)) if opened is not None else None
        if not options.resume:
            await files.write_lines(options.out, [])
        start = await find_checkpoint(files, options.out)
        on_progress = stack.enter_context(progress_bar(quiet=options.quiet, expected=options.expect))
        exporter = Exporter(client, files, options.out, options.concurrency, options.page_size, on_progress, engine)
        await exporter.run(start, summary)


def _check(options: argparse.Namespace) -> None:
    """ValueError for options that cannot be meant."""
    out: Path = options.out
    if options.page_size < 1:
        raise ValueError("--page-size must be above 0")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ValueError(f"--out {out}: give the name of a file in a folder that exists")
    if out.exists() and not (options.resume or options.overwrite):
        raise ValueError(f"--out {out} exists: --resume goes on with it, --overwrite starts anew")


def _report(options: argparse.Namespace, code: int, message: str, summary: Summary, seconds: float) -> None:
    if options.json:
        figures = {**asdict(summary), "total": summary.total, "seconds": round(seconds, 3)}
        print(json.dumps({"code": code, "message": message, "out": str(options.out), **figures}), flush=True)
    elif code:
        print(f"user-export: {message}", file=sys.stderr)
    elif not options.quiet:
        print(f"{message} ({summary.written / seconds:.0f} users/s, {summary.retries} retries)", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="user-export",
        description="Export all users of an API to a file, one JSON object per line, in the order of their ids.",
        epilog="Interrupted? The file is a gap-free beginning: run the same command with --resume.",
    )
    add_api_options(parser)
    add = parser.add_argument
    add("--out", required=True, type=Path, metavar="FILE", help="the file to write, e.g. users.jsonl")
    add("--resume", action="store_true", help="go on after the last user in FILE")
    add("--overwrite", action="store_true", help="start anew, though FILE exists")
    add("--queue", default=os.environ.get(QUEUE), metavar="URL", help=f"let user-export-worker fetch; also by ${QUEUE}")
    add("--page-size", type=int, default=100, metavar="N", help="users listed at once (%(default)s)")
    add("--expect", type=int, metavar="N", help="how many users there are, for the progress bar")
    add("--quiet", action="store_true", help="no progress bar and no summary")
    add("--json", action="store_true", help="print the summary as one JSON object")
    return parser
