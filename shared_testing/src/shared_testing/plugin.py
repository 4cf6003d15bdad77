"""The pytest plugin: hooks, and nothing else."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from shared_testing.detectors.detector import Scope
from shared_testing.detectors.registry import RULES
from shared_testing.findings.diagnosis import Allowance, diagnose
from shared_testing.findings.github_notes import notes_of, repository_of
from shared_testing.findings.json_lines import REPORT_KEY, JsonLines
from shared_testing.findings.site import Site
from shared_testing.loop.scopes import name_scope
from shared_testing.loop.survivors import Survivors
from shared_testing.settings import Settings, SettingsError, read_codes, read_mode, read_seconds
from shared_testing.under_pytest.reports import SECTION, attach
from shared_testing.under_pytest.unraisable import after_test, tell_postponed
from shared_testing.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

pytest_plugins = [
    "shared_testing.fixtures",
    "shared_testing.under_pytest.exploring",
    "shared_testing.under_pytest.html_page",
    "shared_testing.under_pytest.virtual_time",
]

SETTINGS = pytest.StashKey[Settings]()
WATCHER = pytest.StashKey[Watcher]()
SURVIVORS = pytest.StashKey[Survivors]()
_WORKERS_NOTES = pytest.StashKey[list[str]]()
_NOTES = "shared_testing_notes"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("async findings (shared_testing)")
    group.addoption("--findings", metavar="error|warn|off", help="what a finding does to its test (default: error)")
    group.addoption("--findings-json", metavar="FILE", help="write each finding as a line of JSON")
    group.addoption("--user-api-url", metavar="URL", help="a real user API, for suites that play its contract to one")
    group.addoption("--explain", metavar="CODE", help="print the page of a rule, or 'all' for the list, and exit")
    parser.addini("findings", "what a finding does to its test: error, warn or off", default="error")
    parser.addini("findings_disable", "codes of rules that are not looked for", type="args", default=[])
    parser.addini(
        "findings_strict_state", "fail the test that leaves a global changed (AT501)", type="bool", default=False
    )
    parser.addini("findings_step_seconds", "CPU seconds that one step on the loop may take (AT202)", default="0.2")
    parser.addini("findings_block_seconds", "seconds that a step may wait for the system (AT201)", default="0.1")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "allow_finding(code, reason): this finding is meant here, for the reason that is given"
    )
    config.addinivalue_line(
        "markers",
        "leases_run_out: this test of a message queue does nothing that must be done within a lease",
    )
    settings = _read_settings(config)
    config.stash[SETTINGS] = settings
    config.stash[_WORKERS_NOTES] = []
    if settings.findings != "off":
        config.stash[SURVIVORS] = survivors = Survivors()
        watcher = Watcher(settings, survivors.collect)
        watcher.install()
        config.stash[WATCHER] = watcher
        config.add_cleanup(survivors.thaw)
        config.add_cleanup(watcher.uninstall)
    # Under xdist the reports reach the controller, which is the one that writes.
    if (path := config.getoption("--findings-json")) and not hasattr(config, "workerinput"):
        try:
            writer = JsonLines(Path(path))
        except OSError as error:
            raise pytest.UsageError(f"--findings-json={path}: cannot write there ({error})") from None
        config.pluginmanager.register(writer)
        config.add_cleanup(writer.close)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """``--explain`` prints and exits; nothing is collected."""
    code = config.getoption("--explain")
    if code is None:
        return None
    if code == "all":
        print("\n".join(f"{rule.code} {rule.title}" for rule in RULES.values()))
    elif code in RULES:
        print(RULES[code].page())
    else:
        raise pytest.UsageError(f"--explain {code}: there is no such rule; the rules are {', '.join(RULES)}")
    return 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for _ in allowances(item):
            """Read each mark once: a wrong one is a usage error before anything has run."""


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What lives at this point lives on: leave it out of the collection after each test."""
    if WATCHER in session.config.stash:
        session.config.stash[SURVIVORS].freeze_collected()


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run the test, and report it once its findings are known, which is after its teardown."""
    watcher = item.config.stash.get(WATCHER, None)
    if watcher is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    watcher.begin(Scope(item.nodeid, test=item))
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    findings = diagnose(watcher.end(), allowances(item))
    after_test(item, reports, item.config.stash[SURVIVORS])
    attach(reports, findings, item.config.stash[SETTINGS].findings)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Keep what the test raised: its traceback holds evidence."""
    watcher = item.config.stash.get(WATCHER, None)
    if watcher is not None and call.excinfo is not None:
        watcher.failed(call.excinfo.value)
    if watcher is not None and watcher.scope is not None:
        watcher.scope.is_set_up = True
        watcher.scope.tears_down = call.when != "setup"


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Watch each loop that pytest-asyncio makes, and look at it before it is closed.

    A finalizer that is added after the runner's setup runs before the runner's own: when every fixture that
    used the loop is torn down, and what they left is still there.
    """
    watcher = request.config.stash.get(WATCHER, None)
    scope = watcher.scope if watcher is not None else None
    wider = scope is not None and fixturedef.scope != "function"
    if scope is not None:
        scope.wider += wider
    try:
        result = yield
    finally:
        if scope is not None:
            scope.wider -= wider
    if watcher is not None and isinstance(result, asyncio.Runner):
        loop = result.get_loop()
        # The fixtures of pytest-asyncio that hold a runner are named `_module_scoped_runner`.
        name_scope(loop, fixturedef.argname.strip("_").partition("_")[0])
        watcher.attach(loop)
        request.addfinalizer(partial(watcher.look_before_close, loop))
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Others look through the garbage collector at the end; what is frozen they would not see."""
    if SURVIVORS in session.config.stash:
        session.config.stash[SURVIVORS].thaw()
        tell_postponed(session.config)
    if hasattr(session.config, "workeroutput") and WATCHER in session.config.stash:
        session.config.workeroutput[_NOTES] = session.config.stash[WATCHER].notes()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of xdist's workers has ended; one that was killed has nothing to say."""
    node.config.stash[_WORKERS_NOTES] += getattr(node, "workeroutput", {}).get(_NOTES, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """In warn mode findings are told here; and whatever went wrong in a detector always is."""
    warn = config.stash[SETTINGS].findings == "warn"
    reports = [each for several in terminalreporter.stats.values() for each in several if hasattr(each, REPORT_KEY)]
    if warn and reports:
        terminalreporter.section(SECTION)
        texts = [f"{each.nodeid}\n{finding['text']}" for each in reports for finding in each.__dict__[REPORT_KEY]]
        terminalreporter.write_line("\n\n".join(texts))
    notes = config.stash[WATCHER].notes() if WATCHER in config.stash else []
    for note in dict.fromkeys([*notes, *config.stash[_WORKERS_NOTES]]):
        terminalreporter.write_line(f"shared_testing: {note}")
    # Here nothing is captured any more, and under xdist there is one who prints.
    if (repository := repository_of(os.environ)) is not None:
        told = [(str(config.rootpath / each.location[0]), each.__dict__[REPORT_KEY]) for each in reports]
        for note in notes_of(told, "warning" if warn else "error", repository):
            terminalreporter.write_line(note)


def _read_settings(config: pytest.Config) -> Settings:
    try:
        return Settings(
            findings=read_mode(config.getoption("--findings") or config.getini("findings")),
            disabled=read_codes(config.getini("findings_disable"), frozenset(RULES)),
            strict_state=config.getini("findings_strict_state"),
            step_seconds=read_seconds("findings_step_seconds", config.getini("findings_step_seconds")),
            block_seconds=read_seconds("findings_block_seconds", config.getini("findings_block_seconds")),
        )
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None


def allowances(item: pytest.Item) -> list[Allowance]:
    return [_allowance(item, mark) for mark in _marks(item, "allow_finding")]


def _marks(item: pytest.Item, name: str) -> Iterable[pytest.Mark]:
    # Most have none; to walk through all that there are takes ten times as long as to ask for the word.
    return item.iter_markers(name) if name in item.keywords else ()


def _allowance(item: pytest.Item, mark: pytest.Mark) -> Allowance:
    code, reason = mark.args[0] if len(mark.args) == 1 else None, mark.kwargs.get("reason")
    if code not in RULES:
        raise pytest.UsageError(
            f"{item.nodeid}: allow_finding({code!r}) names no rule; the rules are {', '.join(RULES)}"
        )
    if not isinstance(reason, str) or not reason.strip():
        raise pytest.UsageError(
            f'{item.nodeid}: allow_finding("{code}") needs a reason; write allow_finding("{code}", reason="...")'
        )
    path, line, name = item.location
    return Allowance(RULES[code], reason, Site(str(item.config.rootpath / path), (line or 0) + 1, name))
