"""What the tests of this package share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def numbered() -> Callable[..., list[Any]]:
    """``numbered(3, func, 1)``: tasks with the ids 0, 1, 2, which all do the same."""

    def make(count: int, func: Callable[..., Any], *args: Any) -> list[Any]:
        return [(number, func, args, {}) for number in range(count)]

    return make


@pytest.fixture
def others() -> Callable[[], set[asyncio.Task[Any]]]:
    """``others()``: every asyncio task but the one that asks."""

    def look() -> set[asyncio.Task[Any]]:
        return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    return look
