"""Waiting for threads: to the end, for a time, or not any more."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future

import pytest

from file_handler.thread_results import resolve, wait_until_done


async def test_it_waits_for_all() -> None:
    """And takes none for an answer."""
    futures = [Future[None](), Future[None]()]
    waiting = asyncio.create_task(wait_until_done(futures))
    for future in futures:
        await asyncio.sleep(0)
        assert not waiting.done()
        resolve(future)
    await waiting
    await wait_until_done([])


@pytest.mark.virtual_time
async def test_it_gives_up_after_the_timeout() -> None:
    """The future may still be resolved, which nobody hears."""
    future = Future[None]()
    await wait_until_done([future], 5)
    await asyncio.sleep(0)
    resolve(future)
    resolve(future)
    assert future.cancelled()


def test_a_closed_loop_hears_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """No error in the log of a process that is about to end."""
    future = Future[None]()

    async def give_up() -> None:
        asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)  # type: ignore[union-attr]
        await wait_until_done([future])

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up())
    resolve(future)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
