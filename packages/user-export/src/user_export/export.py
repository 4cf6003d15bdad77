"""Pages -> full records, a few at a time -> batches of lines -> the file.

Order is kept from end to end: the file always is a gap-free beginning of the whole, and can be resumed.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from file_handler import AsyncFileHandler
from queue_processor import ItemFailed, QueueProcessor
from task_queue import AsyncTaskQueue, Engine, Task, TaskResult
from user_client import User, UserAPIClient, UserNotFound
from user_export.checkpoint import Checkpoint, find_checkpoint
from user_export.pages import fetch_page

# Lines that are written at once: one fsync for a hundred users.
BATCH = 100


@dataclass(slots=True)
class Summary:
    """What an export has done so far; what it counts as written is in the file."""

    resumed: int = 0  # were in the file before
    written: int = 0
    gone: int = 0  # deleted between being listed and being fetched
    retries: int = 0

    @property
    def total(self) -> int:
        return self.resumed + self.written


class ExportFailed(Exception):
    """The export stopped before its end; what it wrote is whole, and can be resumed."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Exports all users of `client` to `out`, fetching `concurrency` records at once.

    `on_progress` is called with the summary after each batch that was written.
    """

    client: UserAPIClient
    files: AsyncFileHandler
    out: Path
    concurrency: int = 10
    page_size: int = 100
    on_progress: Callable[[Summary], object] = lambda _: None
    engine: Engine | None = None
    """Who fetches the records, page by page: the workers of a queue; None: this process, record by record."""

    async def run(self, start: Checkpoint, summary: Summary) -> None:
        """Append every user after `start`, keeping `summary` up to date.

        Raises ExportFailed, with its cause, when a user cannot be fetched or a batch not be written. Wherever
        it fails or is cancelled, whole batches are in the file, in order.
        """
        summary.resumed = start.count

        async def write(lines: list[str]) -> None:
            await self.files.append_lines(self.out, lines)
            summary.written += len(lines)
            self.on_progress(summary)

        try:
            # One consumer: batches are written in order, while the next records are being fetched.
            sink = QueueProcessor(write, maxsize=8, attempts=1, on_failure="raise")
            async with sink, aclosing(self._batches(start.last_id, summary)) as batches:
                try:
                    async for batch in batches:
                        await sink.put(batch)
                except ExportFailed:
                    await sink.join()  # What was fetched before the gap is kept.
                    raise
        except asyncio.CancelledError:
            # The batch that was just being written is whole or not there: the file knows.
            summary.written = (await find_checkpoint(self.files, self.out)).count - start.count
            raise
        except ItemFailed as failure:
            raise ExportFailed(f"{self.out} could not be written: {failure.__cause__}") from failure.__cause__
        finally:
            summary.retries = self.client.retries

    async def _batches(self, after: int, summary: Summary) -> AsyncGenerator[list[str], None]:
        batch: list[str] = []
        queue = AsyncTaskQueue(self.concurrency, engine=self.engine)
        tasks = self._fetches(after) if self.engine is None else self._pages(after)
        async with aclosing(queue.stream(tasks, in_order=True)) as results:
            async for result in results:
                for user in _users_of(result):
                    if user is None:
                        summary.gone += 1
                    else:
                        batch.append(json.dumps(user, ensure_ascii=False))
                    if len(batch) == BATCH:
                        yield batch
                        batch = []
        if batch:
            yield batch

    async def _fetches(self, after: int) -> AsyncIterator[Task]:
        async for user in self.client.iterate_users(self.page_size, after):
            yield user["id"], self.client.fetch_user, (user["id"],), {}

    async def _pages(self, after: int) -> AsyncIterator[Task]:
        page: list[int] = []
        async for user in self.client.iterate_users(self.page_size, after):
            page.append(user["id"])
            if len(page) == self.page_size:
                yield page[0], fetch_page, (page,), {}
                page = []
        if page:
            yield page[0], fetch_page, (page,), {}


def _users_of(result: TaskResult) -> list[User | None]:
    """None for one who is gone."""
    if isinstance(result.error, UserNotFound):
        return [None]
    if result.error is not None:
        raise ExportFailed(f"user {result.task_id} could not be fetched: {result.error}") from result.error
    if isinstance(result.result, list):
        return result.result
    return [cast("User", result.result)]
