"""Queues by URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from queue_processor import open_queue

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_file_is_opened_by_its_path(tmp_path: Path) -> None:
    """What is put into a queue of a name is found there by the next one, and in no other queue of the file."""
    url = f"sqlite://{tmp_path}/jobs.db?name=pages&durability=full"
    async with open_queue(url) as queue:
        await queue.put_many([b"x"])
    async with open_queue(url) as queue, open_queue(f"sqlite:///{tmp_path}/jobs.db") as other:
        assert (await queue.counts()).waiting == 1
        assert (await other.counts()).waiting == 0


async def test_a_file_in_this_folder_needs_no_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a blank in a name is written as in any URL."""
    monkeypatch.chdir(tmp_path)
    async with open_queue("sqlite:my%20jobs.db"):
        assert (tmp_path / "my jobs.db").exists()


@pytest.mark.parametrize("url", ["sqlite:jobs.db", "redis://localhost:1/0", "rediss://u:secret@localhost:1/0"])
def test_limits_stand_in_the_url_and_are_overruled_by_arguments(url: str) -> None:
    """So that all who work on one queue can be given one and the same setting."""
    queue: Any = open_queue(f"{url}?name=pages&lease=7.5&max_deliveries=3")
    assert (queue.lease, queue.max_deliveries) == (7.5, 3)
    assert "pages" in repr(queue)
    assert "secret" not in repr(queue)
    queue = open_queue(f"{url}?lease=7.5", lease=60, max_deliveries=9)
    assert (queue.lease, queue.max_deliveries) == (60, 9)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("kafka://ann:secret@host/x", r"kafka: is the URL of no queue .* sqlite:///path/jobs.db, redis://host"),
        ("jobs.db", "a name without a scheme is the URL of no queue"),
        ("sqlite://jobs.db", "third slash"),
        ("sqlite:", "of which file"),
        ("sqlite:///", "of which file"),
        ("sqlite:jobs.db?nmae=x", r"\?nmae=x is not known"),
        ("sqlite:jobs.db?lease=long", "lease=long in the URL of a queue: it is a number"),
        ("sqlite:jobs.db?durability=some", "durability"),
        ("redis://ann:secret@host/0?lease=long", "lease=long"),
    ],
)
def test_a_url_that_names_no_queue_is_refused(url: str, complaint: str) -> None:
    """Saying what there is, and never the password."""
    with pytest.raises(ValueError, match=complaint) as caught:
        open_queue(url)
    assert "secret" not in str(caught.value)
