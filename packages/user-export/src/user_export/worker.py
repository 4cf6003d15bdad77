"""The command line of a worker, which fetches the pages that an export with ``--queue`` asks for."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from queue_processor import MessageQueue, QueueProcessorError, open_queue, serve
from task_queue import TaskWorker
from user_client import UserAPIClient, UserAPIError
from user_export.api_options import QUEUE, add_api_options, log_in, make_client
from user_export.pages import page_fetcher


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 after a SIGTERM or SIGINT, 1 when it failed or was stopped by a second signal, 130 by
    a second SIGINT, and 2 for wrong options."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        client, opened = make_client(options), open_queue(options.queue)
    except (ValueError, ImportError) as error:
        parser.error(str(error))

    async def work() -> int:
        async with opened as queue, client:
            return await _serve(queue, client, options)

    try:
        return asyncio.run(work())
    except (UserAPIError, QueueProcessorError, OSError) as error:
        print(f"user-export-worker: {error}", file=sys.stderr)
        return 1


async def _serve(queue: MessageQueue, client: UserAPIClient, options: argparse.Namespace) -> int:
    await log_in(client, options)
    # Once at the start it must be there; later on it is waited for.
    await queue.counts()
    return await serve(TaskWorker(queue, [page_fetcher(client)]).processor(options.pages), queue)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="user-export-worker",
        description="Fetch what exports with the same --queue ask for, until SIGTERM. Start as many as you like.",
    )
    add_api_options(parser)
    known = os.environ.get(QUEUE)
    what = f"sqlite:///path/jobs.db, redis://host:6379/0?name=…; with a password in it, better in ${QUEUE}"
    parser.add_argument("--queue", required=not known, default=known, metavar="URL", help=what)
    parser.add_argument("--pages", type=int, default=2, metavar="N", help="pages in work at once (%(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
