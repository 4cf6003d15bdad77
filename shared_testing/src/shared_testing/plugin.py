"""The pytest plugin: hooks, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared_testing.loop.virtual_clock import VirtualClockLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

pytest_plugins = ["shared_testing.fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_time: run this async test on a clock that jumps when everything waits")


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give a test that asks for virtual time the loop that has it. One factory leaves test ids as they are."""
    fixtures = getattr(item, "fixturenames", ())
    if "virtual_clock" in fixtures or item.get_closest_marker("virtual_time") is not None:
        return {"virtual": VirtualClockLoop}
    return {"asyncio": asyncio.new_event_loop}
