"""Exploration under pytest: ``@pytest.mark.explore``, ``--explore`` and ``--replay``.

One test item, one result, however many schedules. Nothing of the search is imported for a run that explores nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from shared_testing.settings import SettingsError
from shared_testing.under_pytest.explorable import is_async, why_not
from shared_testing.under_pytest.plan import Plan, read_plan
from shared_testing.unrewritten import without_rewriting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from shared_testing.under_pytest.item_runs import LoopMaker

_OPTIONS = ("schedules", "seed", "lateness", "cancel")
_CACHE = "shared_testing/failing_schedules"
_REFUSED = "shared_testing_not_explored"
EXPLORED = "explored"
"""The attribute of a test's report that says how it was explored."""


@dataclass
class Session:
    """What is explored in this run, and what came of it."""

    base: Plan
    """Of the ini file."""
    asked: Mapping[str, object]
    """On the command line, which has the last word."""
    everything: bool
    replay: str | None
    refused: Counter[str] = field(default_factory=Counter)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """How each test was explored, by its id."""
    known: dict[str, str] = field(default_factory=dict)
    """The tokens that failed the last time."""
    _maker: LoopMaker | None = None

    @property
    def maker(self) -> LoopMaker:
        if self._maker is None:
            with without_rewriting():
                from shared_testing.under_pytest.item_runs import LoopMaker

            self._maker = LoopMaker()
        return self._maker

    def plan(self, mark: pytest.Mark | None) -> Plan:
        asked = mark.kwargs if mark is not None else {}
        if mark is not None and mark.args:
            raise SettingsError(f"explore takes keywords: {', '.join(Plan._fields)}")
        return read_plan(read_plan(self.base, asked), self.asked)


SESSION = pytest.StashKey[Session]()
PLAN = pytest.StashKey[Plan]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("exploration of schedules (shared_testing)")
    group.addoption("--explore", action="store_true", help="explore every async test, not only the marked ones")
    group.addoption("--schedules", type=int, metavar="N", help="how many schedules a test is run under (200)")
    group.addoption("--seed", type=int, metavar="N", help="only the seeded mix of schedules, with this seed")
    group.addoption("--lateness", type=float, metavar="S", help="how late answers from outside may be (0.02)")
    group.addoption("--cancel", action="store_true", default=None, help="cancel each task at each of its suspensions")
    group.addoption("--replay", metavar="TOKEN", help="run one test under the one schedule that failed")
    parser.addini("explore", "explore every async test, not only the marked ones", type="bool", default=False)
    parser.addini("explore_schedules", "how many schedules a test is run under", default="")
    parser.addini("explore_lateness", "how late answers from outside may be, in virtual seconds", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"explore({', '.join(f'{name}=...' for name in Plan._fields)}): run this async test under many schedules, "
        "with its function-scoped fixtures set up afresh for each",
    )
    given = {name: value for name in _OPTIONS if (value := config.getoption(f"--{name}")) is not None}
    replay = config.getoption("--replay")
    try:
        base = read_plan(Plan(), _from_ini(config))
        read_plan(base, given)
        if replay is not None:
            from shared_testing.exploration.token import parse

            parse(replay)
    except (SettingsError, ValueError) as error:
        raise pytest.UsageError(str(error)) from None
    everything = config.getoption("--explore") or config.getini("explore")
    config.stash[SESSION] = session = Session(base, given, bool(everything), replay)
    if (cache := getattr(config, "cache", None)) is not None:
        session.known = dict(cache.get(_CACHE, {}))
    config.pluginmanager.register(_Collector(session))


def _from_ini(config: pytest.Config) -> dict[str, object]:
    asked: dict[str, object] = {}
    readers: dict[str, Callable[[str], object]] = {"schedules": int, "lateness": float}
    for name, read in readers.items():
        if text := str(config.getini(f"explore_{name}")):
            try:
                asked[name] = read(text)
            except ValueError:
                raise SettingsError(f"explore_{name} = {text!r}: give a number") from None
    return asked


# ---------------------------------------------------------------------- which tests, and on which loop


def wants_exploring(item: pytest.Function) -> bool:
    """Whether it is asked for, and can be."""
    session = item.config.stash[SESSION]
    asked = session.everything or session.replay is not None or "explore" in item.keywords
    return asked and not why_not(item)


def loop_maker(item: pytest.Function) -> LoopMaker:
    return item.config.stash[SESSION].maker


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    session = config.stash[SESSION]
    for item in items:
        mark = item.get_closest_marker("explore") if "explore" in item.keywords else None
        if mark is None and not ((session.everything or session.replay is not None) and is_async(item)):
            continue
        reason = _why_not(item)
        # A mark of a class or module is for those of its tests that it fits.
        if reason and mark is not None and (is_async(item) or mark in item.own_markers):
            raise pytest.UsageError(f"{item.nodeid}: explore: this test {reason}")
        try:
            plan = session.plan(mark)
        except SettingsError as error:
            raise pytest.UsageError(f"{item.nodeid}: {error}") from None
        if not reason:
            item.stash[PLAN] = plan
        elif is_async(item):
            session.refused[reason] += 1


def _why_not(item: pytest.Item) -> str:
    if not isinstance(item, pytest.Function):
        return "is no function"
    callspec = getattr(item, "callspec", None)
    given = callspec.params.get("_asyncio_loop_factory") if callspec is not None else None
    late = "" if given is loop_maker(item) else "got its mark too late: put it on the test, its class or its module"
    return why_not(item) or late


def pytest_collection_finish(session: pytest.Session) -> None:
    replay = session.config.stash[SESSION].replay
    if replay is None or session.config.option.collectonly:
        return
    explored = [item for item in session.items if PLAN in item.stash]
    if len(session.items) != 1 or not explored:
        what = (
            f"{len(session.items)} were selected" if len(session.items) != 1 else "the one selected cannot be explored"
        )
        raise pytest.UsageError(
            f"--replay={replay} replays one test, and {what}: pytest 'test_file.py::test_name' --replay=..."
        )


# ---------------------------------------------------------------------- running, and what is kept


def expect_exploring(config: pytest.Config) -> None:
    """A test of this run is going to be explored. Hooks are called for every test: where none is, none pays."""
    if not config.pluginmanager.has_plugin(_Running.__qualname__):
        config.pluginmanager.register(_Running(), _Running.__qualname__)


class _Running:
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        option = item.config.option
        if PLAN not in item.stash or hasattr(getattr(item, "obj", None), "hypothesis"):
            return None
        if getattr(option, "setuponly", False) or getattr(option, "setupplan", False):
            return None
        with without_rewriting():
            from shared_testing.under_pytest.explored_item import explore_item

        explore_item(cast("pytest.Function", item), nextitem)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
        """Under hypothesis each example is explored by itself: its fixtures, if it has any, are shared anyway."""
        if PLAN not in pyfuncitem.stash or not hasattr(pyfuncitem.obj, "hypothesis"):
            return (yield)
        with without_rewriting():
            from shared_testing.under_pytest.examples import explored_examples

        with explored_examples(pyfuncitem):
            return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput[_REFUSED] = dict(config.stash[SESSION].refused)
        return
    explored = config.stash[SESSION]
    known = dict(explored.known)
    for name, told in explored.told.items():
        known.pop(name, None)
        if (token := told.get("token")) is not None:
            known[name] = token
    if known != explored.known and (cache := getattr(config, "cache", None)) is not None:
        cache.set(_CACHE, known)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each of xdist's workers has collected all tests, so they all say the same."""
    refused = getattr(node, "workeroutput", {}).get(_REFUSED)
    if refused is not None:
        node.config.stash[SESSION].refused = Counter(refused)


class _Collector:
    """Takes from the reports how each test was explored: in the process that prints, whoever has run it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pytest_runtest_logreport(self, report: Any) -> None:
        if (told := getattr(report, EXPLORED, None)) is not None:
            self._session.told[report.nodeid] = told


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    session = config.stash[SESSION]
    if session.told and config.option.verbose > 0:
        terminalreporter.section("explored schedules")
        for name, told in session.told.items():
            if told["says"]:
                terminalreporter.write_line(f"{name}: {told['says']}")
    if not session.everything:
        return
    runs = sum(told["schedules"] for told in session.told.values())
    refused = session.refused + Counter(told["refused"] for told in session.told.values() if told.get("refused"))
    line = f"explored {len(session.told)} tests under {runs} schedules"
    if refused:
        reasons = "; ".join(f"{count} {reason}" for reason, count in refused.most_common())
        line += f"; {refused.total()} could not be explored: {reasons}"
    terminalreporter.write_line(line)
