"""Name an event loop as its user knows it: by the scope of the fixtures and tests that run on it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.findings.site import is_users
from shared_testing.findings.syntax import decorator_site

if TYPE_CHECKING:
    import asyncio

    from shared_testing.findings.site import Site

_SCOPE = "_shared_testing_scope"


class Fixture(NamedTuple):
    """A fixture of the running test."""

    name: str
    site: Site
    loop_scope: str


def name_scope(loop: asyncio.AbstractEventLoop, scope: str) -> None:
    """Remember that the loop is the one of pytest-asyncio's ``loop_scope=scope``."""
    setattr(loop, _SCOPE, scope)


def scope_of(loop: asyncio.AbstractEventLoop | None) -> str:
    """``function`` to ``session``; empty for a loop that is none of pytest-asyncio's."""
    return getattr(loop, _SCOPE, "")


def loop_name(loop: asyncio.AbstractEventLoop | None) -> str:
    """``the module-scoped loop``; for a loop that nobody knows, ``another loop``."""
    scope = scope_of(loop)
    return f"the {scope}-scoped loop" if scope else "another loop"


def test_site(test: Any) -> Site | None:
    """The mark of pytest-asyncio on the test, which may have a loop_scope; or its ``def``."""
    # While it runs, pytest-asyncio has put a function of its own in its place.
    code = getattr(inspect.unwrap(getattr(test, "function", None) or test_site), "__code__", None)
    return decorator_site(code, "asyncio") if code is not None and test is not None else None


def fixtures_of(test: Any) -> list[tuple[Fixture, object]]:
    """The async fixtures of the test with their values, as far as they have been set up."""
    values = getattr(test, "funcargs", None) or {}
    definitions = getattr(getattr(test, "_fixtureinfo", None), "name2fixturedefs", {})
    found = []
    for name, candidates in definitions.items():
        function = getattr(candidates[-1], "func", None)
        scope = getattr(function, "_loop_scope", None)
        code = getattr(function, "__code__", None)
        cached = getattr(candidates[-1], "cached_result", None)
        value = values.get(name, cached[0] if cached else None)
        if code is not None and value is not None:
            default = getattr(candidates[-1], "scope", "function")
            found.append((Fixture(name, decorator_site(code, "fixture"), scope or default), value))
    return found


def fixture_with(test: Any, wanted: object) -> Fixture | None:
    """The fixture that hands out this object, or something that holds it."""
    for fixture, value in fixtures_of(test):
        if value is wanted or any(each is wanted for each in parts(value)):
            return fixture
    return None


def fixture_on(test: Any, loop: asyncio.AbstractEventLoop) -> Fixture | None:
    """The fixture of the test that runs on this loop, if there is but one."""
    mine = [fixture for fixture, _ in fixtures_of(test) if is_users(fixture.site.path)]
    found = [fixture for fixture in mine if fixture.loop_scope == scope_of(loop)]
    return found[0] if len(found) == 1 else None


def parts(value: object) -> list[object]:
    """What an object holds, one level deep."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return list(getattr(value, "__dict__", {}).values())
