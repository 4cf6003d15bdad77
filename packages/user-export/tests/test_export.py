"""The composition: pages, records, batches, file."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
import pytest_asyncio

from shared_testing.contracts.user_api import GET_USER, LIST_USERS
from user_client import UserAPIClient
from user_export import Checkpoint, Exporter, ExportFailed, Summary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from file_handler import AsyncFileHandler
    from shared_testing import FakeUsers, FileBuilders, VirtualClock

pytestmark = pytest.mark.virtual_time


def read_users(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def read_ids(out: Path) -> list[int]:
    return [user["id"] for user in read_users(out)]


@pytest_asyncio.fixture
async def client(users: FakeUsers) -> AsyncIterator[UserAPIClient]:
    async with UserAPIClient(users.url, timeout=60) as client:
        yield client


@pytest.fixture
def exporter(client: UserAPIClient, handler: AsyncFileHandler, tmp_path: Path) -> Exporter:
    return Exporter(client, handler, tmp_path / "users.jsonl", concurrency=5, page_size=40)


async def export(exporter: Exporter, start: Checkpoint | None = None) -> Summary:
    summary = Summary()
    await exporter.run(start or Checkpoint(), summary)
    return summary


async def test_every_user_is_exported_in_order(users: FakeUsers, exporter: Exporter) -> None:
    """Full records, not the summaries of the pages, in the order of the ids."""
    users.populate(250)
    summary = await export(exporter)
    assert read_ids(exporter.out) == list(range(1, 251))
    assert read_users(exporter.out)[0] == users.get(1)
    assert (summary.written, summary.total, summary.gone) == (250, 250, 0)


async def test_records_are_fetched_a_few_at_a_time(users: FakeUsers, exporter: Exporter) -> None:
    """Never more than `concurrency` at once, plus the page that is being listed."""
    users.populate(100)
    users.on(GET_USER).delay(1, times=100)
    await export(exporter)
    assert 5 <= users.peak <= 6


async def test_trouble_on_the_way_is_retried(users: FakeUsers, exporter: Exporter) -> None:
    """Throttling, errors and resets, of records and of pages, leave no trace in the file."""
    users.populate(60)
    users.on(GET_USER).reply(429, retry_after=1, times=2).reply(500, times=2).fault("reset_mid_body", times=2)
    users.on(LIST_USERS).reply(503)
    await export(exporter)
    assert read_ids(exporter.out) == list(range(1, 61))


async def test_a_user_who_is_gone_is_counted_and_left_out(users: FakeUsers, exporter: Exporter) -> None:
    """Between the page and the record somebody may delete the user: that is no error."""
    users.populate(10)
    users.on(GET_USER).reply(404)
    summary = await export(exporter)
    assert (summary.written, summary.gone) == (9, 1)
    assert len(read_ids(exporter.out)) == 9


async def test_a_record_that_cannot_be_had_ends_the_export_before_the_gap(users: FakeUsers, exporter: Exporter) -> None:
    """The file stays a gap-free beginning, which the next run goes on from."""
    users.populate(300)
    users.on(GET_USER).answer(times=220).break_contract(403, times=None)
    with pytest.raises(ExportFailed, match="could not be fetched"):
        await export(exporter)
    ids = read_ids(exporter.out)
    assert ids == list(range(1, len(ids) + 1))
    assert 100 <= len(ids) <= 220


async def test_it_goes_on_after_the_checkpoint(users: FakeUsers, exporter: Exporter) -> None:
    """Users before the checkpoint are neither asked for nor written again."""
    users.populate(50)
    summary = await export(exporter, Checkpoint(last_id=30, count=30))
    assert read_ids(exporter.out) == list(range(31, 51))
    assert (summary.resumed, summary.written, summary.total) == (30, 20, 50)
    assert not any(seen.path == "/users/30" for seen in users.requests)


async def test_a_full_disk_is_the_error_that_is_raised(
    users: FakeUsers, exporter: Exporter, files: FileBuilders
) -> None:
    """A batch that cannot be written stops the fetching, and says why."""
    users.populate(2000)
    with files.full_disk(free=20_000) as disk:
        with pytest.raises(ExportFailed, match=r"could not be written: .*users\.jsonl") as caught:
            await export(replace(exporter, out=disk / "users.jsonl"))
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.__cause__.errno == disk.errno
    assert len(users.requests) < 2000


async def test_progress_tells_what_is_in_the_file(users: FakeUsers, exporter: Exporter, files: FileBuilders) -> None:
    """The bar never runs ahead of the disk."""
    users.populate(230)
    store, seen = files.in_memory(), list[tuple[int, int]]()

    def tell(summary: Summary) -> None:
        seen.append((summary.total, len(store[exporter.out])))

    await export(replace(exporter, files=cast("AsyncFileHandler", store), on_progress=tell))
    assert seen == [(100, 100), (200, 200), (230, 230)]


async def test_a_cancelled_export_leaves_a_beginning_and_no_task(users: FakeUsers, exporter: Exporter) -> None:
    """Wherever it is cancelled: whole lines, in order, without a gap, and nothing that still runs."""
    users.populate(300)
    for turns in (0, 1, 2, 5, 20, 100, 300, 600):
        exporter.out.unlink(missing_ok=True)
        before = asyncio.all_tasks()
        task = asyncio.create_task(export(exporter))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert {each for each in asyncio.all_tasks() - before if "user_export" in repr(each.get_coro())} == set()
        ids = read_ids(exporter.out) if exporter.out.exists() else []
        assert ids == list(range(1, len(ids) + 1))


async def test_no_users_are_no_lines(exporter: Exporter, virtual_clock: VirtualClock) -> None:
    """An empty API is exported completely."""
    assert await export(exporter) == Summary()
    assert virtual_clock.now < 1
