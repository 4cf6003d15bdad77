"""Which tests can be explored: each schedule needs a loop, and async fixtures, of its own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.findings.site import is_users

if TYPE_CHECKING:
    from collections.abc import Iterator


def inner_test(item: pytest.Function) -> Any:
    """The coroutine function that hypothesis calls for each example; None for a test without hypothesis."""
    return getattr(getattr(item.obj, "hypothesis", None), "inner_test", None)


def is_async(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and any(map(inspect.iscoroutinefunction, (item.obj, inner_test(item))))


def why_not(item: pytest.Function) -> str:
    """Empty for a test that can be; else the reason."""
    if not is_async(item):
        return "is not async"
    if item.cls is not None and hasattr(item.cls, "debug"):
        return "is one of unittest, which makes its own loop"
    mark = item.get_closest_marker("asyncio")
    if mark is None and _mode(item.config) == "strict":
        return "is not run by pytest-asyncio: mark it with asyncio, or set asyncio_mode to auto"
    asked = mark.kwargs if mark is not None else {}
    scope = asked.get("loop_scope") or asked.get("scope") or item.config.getini("asyncio_default_test_loop_scope")
    if scope != "function":
        return f"shares the event loop of its {scope}, and each schedule needs its own: set loop_scope to function"
    if "loop_factories" in asked:
        return "has a loop_factories of its own"
    return next(_unsound_fixtures(item), "")


def shared_fixtures(item: pytest.Function) -> list[str]:
    """The user's fixtures of a wider scope: all schedules have the same."""
    return [
        f"{name} ({fixture.scope})"
        for name, fixture in _fixtures(item)
        if fixture.scope != "function" and is_users(getattr(_function(fixture), "__code__", _NOTHING).co_filename)
    ]


def _unsound_fixtures(item: pytest.Function) -> Iterator[str]:
    for name, fixture in _fixtures(item):
        function = _function(fixture)
        if not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
            continue
        if fixture.scope != "function":
            yield f"has the async fixture {name!r} of {fixture.scope} scope, on another loop: give it function scope"
        elif (scope := _loop_scope(item, function)) != "function":
            yield f"has the async fixture {name!r} on the event loop of its {scope}: set its loop_scope to function"
        elif inner_test(item) is not None:
            yield f"has the async fixture {name!r} under hypothesis, whose examples need a loop each"


def _loop_scope(item: pytest.Function, function: Any) -> str:
    default = item.config.getini("asyncio_default_fixture_loop_scope")
    return str(getattr(function, "_loop_scope", None) or default or "function")


def _fixtures(item: Any) -> Iterator[tuple[str, Any]]:
    """By name, the one that is used: the closest."""
    for name, several in item._fixtureinfo.name2fixturedefs.items():
        if several:
            yield name, several[-1]


def _function(fixture: Any) -> Any:
    return inspect.unwrap(fixture.func)


def _mode(config: pytest.Config) -> str:
    return str(config.getoption("asyncio_mode") or config.getini("asyncio_mode")).rpartition(".")[2].lower()


_NOTHING = compile("", "<nothing>", "exec")
