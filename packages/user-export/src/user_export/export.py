"""The export itself: pages -> full records, a few at a time -> batches of lines -> the file.

Order is kept from end to end, so at every moment the file is a gap-free beginning of the whole, and
an interrupted export can go on after its last line.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queue_processor import QueueProcessor
from task_queue import AsyncTaskQueue
from user_client import UserNotFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from file_handler import AsyncFileHandler
    from task_queue import TaskResult
    from user_client import User, UserAPIClient

    from user_export.checkpoint import Checkpoint

BATCH = 100
"""Lines that are written at once: one fsync for a hundred users."""


@dataclass(slots=True)
class Summary:
    """What an export has done so far. What it counts as written is in the file."""

    resumed: int = 0
    """Users that were in the file before."""
    written: int = 0
    gone: int = 0
    """Users that were deleted between being listed and being fetched."""

    @property
    def total(self) -> int:
        return self.resumed + self.written


class ExportFailed(Exception):
    """The export stopped before its end; what it wrote is whole, and can be resumed."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Exports all users of `client` to the file `out`.

    `concurrency`: how many records are fetched at once; `on_progress` is called with the summary
    after each batch that was written.
    """

    client: UserAPIClient
    files: AsyncFileHandler
    out: Path
    concurrency: int = 10
    page_size: int = 100
    on_progress: Callable[[Summary], object] = lambda _: None

    async def run(self, start: Checkpoint, summary: Summary) -> None:
        """Append every user after `start`, and keep `summary` up to date.

        Raises ExportFailed, with its cause, when a user cannot be fetched or a batch not be written.
        When it is cancelled, the batches that were handed over are still written.
        """
        summary.resumed = start.count

        async def write(lines: list[str]) -> None:
            await self.files.append_lines(self.out, lines)
            summary.written += len(lines)
            self.on_progress(summary)

        # One consumer: batches are written in order, while the next records are being fetched.
        async with QueueProcessor(write, consumers=1, maxsize=8, on_failure="raise") as sink:
            await self._fill(sink.put, start, summary)

    async def _fill(
        self, put: Callable[[list[str]], Awaitable[object]], start: Checkpoint, summary: Summary
    ) -> None:
        batch: list[str] = []
        queue = AsyncTaskQueue(self.concurrency)
        async with aclosing(queue.stream(self._fetches(start.last_id), in_order=True)) as results:
            async for result in results:
                user = self._user_of(result, summary)
                if user is not None:
                    batch.append(json.dumps(user, ensure_ascii=False))
                if len(batch) >= BATCH:
                    await put(batch)
                    batch = []
        if batch:
            await put(batch)

    async def _fetches(self, after: int) -> AsyncIterator[tuple[int, Callable[..., Any], tuple[int], dict[str, Any]]]:
        async with aclosing(self.client.iterate_users(page_size=self.page_size, after=after)) as listed:
            async for user in listed:
                yield user["id"], self.client.fetch_user, (user["id"],), {}

    def _user_of(self, result: TaskResult, summary: Summary) -> User | None:
        if isinstance(result.error, UserNotFound):
            summary.gone += 1
            return None
        if result.error is not None:
            raise ExportFailed(f"user {result.task_id} could not be fetched: {result.error}") from result.error
        user: User = result.result
        return user
