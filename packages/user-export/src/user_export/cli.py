"""The command line: options in, an exit code out.

0 the file holds every user · 1 it stopped, and can be resumed · 2 the options are wrong ·
130 or 143 it was stopped by Ctrl-C or SIGTERM, and can be resumed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from file_handler import AsyncFileHandler
from user_client import AuthenticatedAPIClient, UserAPIClient, UserAPIError

from user_export.checkpoint import Checkpoint, NotAnExport, find_checkpoint
from user_export.export import Exporter, ExportFailed, Summary
from user_export.lock import AlreadyRunning, only_writer
from user_export.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSWORD = "USER_EXPORT_PASSWORD"  # noqa: S105 - the name of the variable, not a password


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an export ended: the exit code, what there is to say, and the figures."""

    code: int
    status: str
    message: str
    summary: Summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    if problem := _problem(options):
        _parser().error(problem)
    started = time.monotonic()
    outcome = asyncio.run(_export(options))
    try:
        _report(outcome, options, time.monotonic() - started)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has left; python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.code


async def _export(options: argparse.Namespace) -> Outcome:
    stopped: list[signal.Signals] = []
    task = asyncio.create_task(_run(options))

    def stop(received: signal.Signals) -> None:
        stopped.append(received)
        task.cancel()

    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop, each)
    try:
        return await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        async with AsyncFileHandler() as files:
            kept = await find_checkpoint(files, options.out)
        message = f"stopped by {stopped[0].name}; {kept.count} users are in {options.out}, go on with --resume"
        return Outcome(128 + stopped[0], "stopped", message, Summary(written=kept.count))


async def _run(options: argparse.Namespace) -> Outcome:
    summary = Summary()
    try:
        with only_writer(options.out):
            await _run_alone(options, summary)
    except (AlreadyRunning, NotAnExport) as error:
        return Outcome(1, "refused", str(error), summary)
    except (ExportFailed, UserAPIError, OSError) as error:
        kept = f"{summary.total} users are in {options.out}, go on with --resume"
        return Outcome(1, "failed", f"{error}; {kept}", summary)
    return Outcome(0, "complete", f"{summary.total} users are in {options.out}", summary)


async def _run_alone(options: argparse.Namespace, summary: Summary) -> None:
    async with AsyncExitStack() as stack:
        files = await stack.enter_async_context(AsyncFileHandler())
        client = await stack.enter_async_context(_client(options))
        if isinstance(client, AuthenticatedAPIClient):
            await client.authenticate(options.user, os.environ[PASSWORD])
        if options.resume:
            start = await find_checkpoint(files, options.out)
        else:
            start = Checkpoint()
            await files.write_lines(options.out, [])
        on_progress = stack.enter_context(progress_bar(quiet=options.quiet, expected=options.expect))
        exporter = Exporter(client, files, options.out, options.concurrency, options.page_size, on_progress)
        await exporter.run(start, summary)


def _client(options: argparse.Namespace) -> UserAPIClient:
    kind = UserAPIClient if options.user is None else AuthenticatedAPIClient
    return kind(options.base_url, timeout=options.timeout, max_concurrent=options.concurrency)


def _report(outcome: Outcome, options: argparse.Namespace, seconds: float) -> None:
    if options.json:
        figures = {**asdict(outcome.summary), "total": outcome.summary.total, "seconds": round(seconds, 3)}
        print(json.dumps({"status": outcome.status, "out": str(options.out), "message": outcome.message, **figures}))
    elif outcome.code:
        print(f"user-export: {outcome.message}", file=sys.stderr)
    elif not options.quiet:
        rate = outcome.summary.written / seconds
        print(f"{outcome.message} ({outcome.summary.written} now, {seconds:.1f} s, {rate:.0f} users/s)")


def _problem(options: argparse.Namespace) -> str | None:
    if options.concurrency < 1 or options.page_size < 1 or options.timeout <= 0:
        return "--concurrency, --page-size and --timeout must be above 0"
    if options.out.is_dir():
        return f"--out {options.out} is a folder; give the name of a file"
    if not options.out.absolute().parent.is_dir():
        return f"--out {options.out}: there is no folder {options.out.absolute().parent}; make it first"
    if options.out.exists() and not (options.resume or options.overwrite):
        return f"--out {options.out} exists; --resume goes on with it, --overwrite starts anew"
    if options.user is not None and PASSWORD not in os.environ:
        return f"--user {options.user} needs a password in the environment variable {PASSWORD}"
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="user-export",
        description="Export all users of an API to a file, one JSON object per line, in the order of their ids.",
        epilog="Interrupted? The file is a gap-free beginning: run the same command with --resume.",
    )
    parser.add_argument("--base-url", required=True, metavar="URL", help="where the user API is, e.g. http://localhost:8080")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the file to write, e.g. users.jsonl")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on after the last user in FILE")
    again.add_argument("--overwrite", action="store_true", help="start anew, though FILE exists")
    parser.add_argument("--concurrency", type=int, default=10, metavar="N", help="records fetched at once (%(default)s)")
    parser.add_argument("--page-size", type=int, default=100, metavar="N", help="users listed at once (%(default)s)")
    parser.add_argument("--timeout", type=float, default=30, metavar="S", help="seconds a record may take, retries included (%(default)s)")
    parser.add_argument("--user", metavar="NAME", help=f"log in as NAME, with the password in ${PASSWORD}")
    parser.add_argument("--expect", type=int, metavar="N", help="how many users there are, for the progress bar")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    return parser
