"""A pytest plugin for asyncio code: virtual time, fakes and mock builders.

The names below are the public ones. Installing the distribution is enough for the fixtures;
``import shared_testing`` stays cheap, so what needs aiohttp is imported at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.unrewritten import without_rewriting

with without_rewriting():
    from shared_testing.builders.tasks import ScriptedTask, TaskBuilders
    from shared_testing.loop.idle import settle
    from shared_testing.loop.virtual_clock import VirtualClock, VirtualClockLoop
    from shared_testing.watch import watch

if TYPE_CHECKING:
    from shared_testing.builders.responses import aioresponses
    from shared_testing.fakes.users import FakeUsers

__all__ = [
    "FakeUsers",
    "ScriptedTask",
    "TaskBuilders",
    "VirtualClock",
    "VirtualClockLoop",
    "aioresponses",
    "settle",
    "watch",
]


def __getattr__(name: str) -> object:
    if name == "aioresponses":
        from shared_testing.builders.responses import aioresponses

        return aioresponses
    if name == "FakeUsers":
        from shared_testing.fakes.users import FakeUsers

        return FakeUsers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
