"""Virtual time under pytest: which tests get the loop that jumps, or the one that explores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.loop.seen_time import NoCalendar, SeenTime, read_calendar
from shared_testing.loop.virtual_clock import VirtualClockLoop
from shared_testing.under_pytest.exploring import PLAN, expect_exploring, loop_maker, wants_exploring

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator, Mapping

    LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class _Maker:
    """The loop factory of all tests in virtual time."""

    def __init__(self) -> None:
        self._latest: VirtualClockLoop | None = None
        self._seen: SeenTime | None = None

    def __call__(self) -> VirtualClockLoop:
        self._latest = loop = VirtualClockLoop()
        if self._seen is not None:
            self._seen.follow(loop)
        return loop

    def see(self, seen: SeenTime | None) -> None:
        self._seen = seen
        # One of a wider scope than the test's was made before.
        if seen is not None and self._latest is not None and not self._latest.is_closed():
            seen.follow(self._latest)


_MAKER = _Maker()


class _Chosen:
    """Answers pytest-asyncio's question for one test. One factory leaves test ids as they are."""

    def __init__(self, name: str, factory: LoopFactory) -> None:
        self._answer = {name: factory}

    @pytest.hookimpl(tryfirst=True)
    def pytest_asyncio_loop_factories(self) -> Mapping[str, LoopFactory]:
        return self._answer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("virtual_time", "run every async test on a clock that jumps", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "virtual_time(calendar=None): run this async test on a clock that jumps when everything waits; with "
        "calendar=True or a moment, time.time() and datetime.now() go along",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, None, None]:
    """Choose the loop of a test that asks for virtual time, before whatever the user's own hook says.

    For that test only: while anybody answers this hook, each async test costs a quarter more, and a loop that the
    user has chosen for the others is none of our business.
    """
    item = metafunc.definition
    if wants_exploring(item):
        expect_exploring(item.config)
        chosen = _Chosen("exploring", loop_maker(item))
    elif _is_wanted(metafunc):
        chosen = _Chosen("virtual", _MAKER)
    else:
        return (yield)
    plugins = metafunc.config.pluginmanager
    # As for exploration: where no test asks for it, no test pays for the hook.
    if not plugins.has_plugin(_Clocks.__qualname__):
        plugins.register(_Clocks(), _Clocks.__qualname__)
    plugins.register(chosen)
    try:
        return (yield)
    finally:
        plugins.unregister(chosen)


def _is_wanted(metafunc: pytest.Metafunc) -> bool:
    item = metafunc.definition
    # A folder of that name is among the keywords too.
    marked = "virtual_time" in item.keywords and item.get_closest_marker("virtual_time") is not None
    return marked or "virtual_clock" in metafunc.fixturenames or metafunc.config.getini("virtual_time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Read each mark once: a wrong one is a usage error before anything has run."""
    for item in items:
        if "virtual_time" in item.keywords:
            seen_time(item)


class _Clocks:
    """The code under test looks at the same clock as its loop."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        callspec = getattr(item, "callspec", None)
        factory = callspec.params.get("_asyncio_loop_factory") if callspec is not None else None
        if factory is _MAKER:
            with seen_time(item) as seen:
                _MAKER.see(seen)
                try:
                    return (yield)
                finally:
                    _MAKER.see(None)
        if PLAN in item.stash and isinstance(item, pytest.Function):
            maker = loop_maker(item)
            with seen_time(item) as maker.seen:
                try:
                    return (yield)
                finally:
                    maker.seen = None
        return (yield)


def seen_time(item: pytest.Item) -> SeenTime:
    mark = item.get_closest_marker("virtual_time")
    asked = mark.kwargs if mark is not None else {}
    if asked.keys() - {"calendar"} or (mark is not None and mark.args):
        raise pytest.UsageError(f"{item.nodeid}: virtual_time takes one keyword: calendar")
    try:
        return SeenTime(read_calendar(asked.get("calendar")))
    except NoCalendar as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None
    except ValueError as error:
        raise pytest.UsageError(
            f"{item.nodeid}: {error}; write calendar=True to begin now, or calendar='2026-01-31 23:59:00+00:00'"
        ) from None
