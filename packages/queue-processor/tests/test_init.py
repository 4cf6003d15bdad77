"""The public names."""

from __future__ import annotations

import queue_processor


def test_public_names_are_sorted_and_there() -> None:
    """What __all__ promises can be imported."""
    assert sorted(queue_processor.__all__) == queue_processor.__all__
    assert all(hasattr(queue_processor, name) for name in queue_processor.__all__)
