"""``--findings-html=FILE``: the run as a page. Unless it is asked for, nothing of it is imported or called."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest

from shared_testing.evidence.harmless import harmless
from shared_testing.unrewritten import without_rewriting

if TYPE_CHECKING:
    from collections.abc import Generator

    from shared_testing.loop.task_times import TaskRecorder
    from shared_testing.page.collected import Collected

WANTED = pytest.StashKey[bool]()
"""Set in the configuration of a run of which there will be a page."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("async findings (shared_testing)")
    group.addoption(
        "--findings-html",
        metavar="FILE",
        help="write one page of HTML: findings with their lines, failing schedules, when each task ran",
    )
    parser.addini("findings_html", "the same, as a path from the root directory", default="")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """After the detectors, whose observer tells of new tasks."""
    on_command_line, in_ini = config.getoption("--findings-html"), str(config.getini("findings_html"))
    named = in_ini if on_command_line is None else on_command_line
    if not named:
        return
    config.stash[WANTED] = True
    with without_rewriting():
        from shared_testing.loop.task_times import TaskRecorder
        from shared_testing.page.writer import PageWriter
    from shared_testing.plugin import WATCHER

    recorder = TaskRecorder()
    if (watcher := config.stash.get(WATCHER, None)) is not None:
        recorder.install(watcher.observer)
        config.add_cleanup(recorder.uninstall)
    config.pluginmanager.register(_Recording(recorder))
    # Under xdist the reports reach the controller, which is the one that writes.
    if not hasattr(config, "workerinput"):
        start = config.rootpath if on_command_line is None else config.invocation_params.dir
        config.pluginmanager.register(PageWriter(start, named, _Maker(config)))


class _Recording:
    """What is asked of each test, in the process that runs it."""

    def __init__(self, recorder: TaskRecorder) -> None:
        self._recorder = recorder

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, Any]:
        self._recorder.begin()
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[Any]) -> None:
        # Of an explored test it is the first run that is shown, which is asyncio's own.
        if call.when == "teardown":
            self._recorder.pause()
        else:
            self._recorder.counts_waits = call.when == "setup"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Under xdist this is called on both sides: here by the worker, which has something to add."""
        with without_rewriting():
            from shared_testing.page.collected import SEEN_KEY
            from shared_testing.page.task_data import task_data
        from shared_testing.under_pytest.exploring import EXPLORED

        seen = report.__dict__.setdefault(SEEN_KEY, {})
        told = getattr(report, EXPLORED, None)
        if told is not None and told["says"] and not told["token"]:
            seen["explored"] = told["says"]
        if report.when == "teardown" and (times := self._recorder.end()) is not None:
            data = harmless(None)(task_data)(times)
            seen |= {"tasks": data} if data is not None else {}


class _Maker:
    """Makes the page of what was collected."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __call__(self, collected: Collected, exit_status: int) -> str:
        with without_rewriting():
            from shared_testing.detectors.registry import RULES
            from shared_testing.page.document import document
        from shared_testing.plugin import SETTINGS

        config = self._config
        data = collected.data(
            lambda code: RULES[code].page() if code in RULES else code,
            command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
            mode=config.stash[SETTINGS].findings,
            ended=_ENDED.get(exit_status, ""),
        )
        return document(data, f"async findings: {config.rootpath.name}")


_ENDED: dict[int, str] = {
    pytest.ExitCode.INTERRUPTED: "The run was interrupted: what is here is what had ended by then.",
    pytest.ExitCode.INTERNAL_ERROR: "The run was ended by an error of pytest or a plugin: not every test is here.",
    pytest.ExitCode.NO_TESTS_COLLECTED: "No test was collected.",
}
