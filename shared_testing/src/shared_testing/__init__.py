"""A pytest plugin for asyncio code: virtual time, fakes and mock builders.

The names below are the public ones. Installing the distribution is enough for the fixtures;
``import shared_testing`` stays cheap, so what needs aiohttp, and what few suites use, is imported at its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from shared_testing.unrewritten import without_rewriting

with without_rewriting():
    from shared_testing.builders.tasks import ScriptedTask, TaskBuilders
    from shared_testing.loop.idle import settle
    from shared_testing.loop.virtual_clock import VirtualClock, VirtualClockLoop
    from shared_testing.watch import watch

if TYPE_CHECKING:
    from shared_testing.builders.files import FileBuilders
    from shared_testing.builders.mocks import mock_of, on
    from shared_testing.builders.queues import QueueBuilders, ScriptedQueue
    from shared_testing.builders.responses import aioresponses
    from shared_testing.builders.stubs import ImpossibleStub, NotStubbed
    from shared_testing.exploration import explore
    from shared_testing.fakes.users import FakeUsers

__all__ = [
    "FakeUsers",
    "FileBuilders",
    "ImpossibleStub",
    "NotStubbed",
    "QueueBuilders",
    "ScriptedQueue",
    "ScriptedTask",
    "TaskBuilders",
    "VirtualClock",
    "VirtualClockLoop",
    "aioresponses",
    "explore",
    "mock_of",
    "on",
    "settle",
    "watch",
]


_AT_FIRST_USE = {
    "FileBuilders": "shared_testing.builders.files",
    "QueueBuilders": "shared_testing.builders.queues",
    "ScriptedQueue": "shared_testing.builders.queues",
    "FakeUsers": "shared_testing.fakes.users",
    "ImpossibleStub": "shared_testing.builders.stubs",
    "NotStubbed": "shared_testing.builders.stubs",
    "explore": "shared_testing.exploration",
    "aioresponses": "shared_testing.builders.responses",
    "mock_of": "shared_testing.builders.mocks",
    "on": "shared_testing.builders.mocks",
}


def __getattr__(name: str) -> object:
    if name not in _AT_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with without_rewriting():
        return getattr(import_module(_AT_FIRST_USE[name]), name)


def __dir__() -> list[str]:
    return __all__
