"""Queues for replies, whose reader may have died: they are forgotten in time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from queue_processor import SQLiteQueue

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_replies_to_the_dead_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody else asks for his; those of readers that live are not."""
    began, passed = time.monotonic(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: began + passed[0])
    async with SQLiteQueue(tmp_path / "queue.db") as queue:
        dead, alive = (queue.named(name, forgotten_after=100) for name in ("dead", "alive"))
        for each in (queue, dead, alive):
            assert await each.get_batch(1, timeout=0) == []
            await each.put_many([b"reply"])
        for seconds in (60, 120):
            passed[0] = seconds
            # He reads on.
            assert await alive.get_batch(0, timeout=0) == []
        assert [(await each.counts()).waiting for each in (queue, dead, alive)] == [1, 0, 1]
