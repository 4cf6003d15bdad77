"""``--findings-html=FILE``: what the page holds, in every way in which a run may end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from shared_testing.page import collected

if TYPE_CHECKING:
    from shared_testing.builders.files import FileBuilders

_OPTIONS = ["-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]

TESTS = """
import asyncio
import pytest

async def fetch(number):
    await asyncio.sleep(number)
    return number

async def test_leaks():
    asyncio.create_task(fetch(3600))
    await asyncio.sleep(0)

async def test_together(virtual_clock):
    await asyncio.gather(fetch(1), fetch(2))

async def test_fails():
    assert await fetch(0) == 1

def test_plain(): pass

@pytest.fixture
def broken():
    raise LookupError("no database")

def test_error(broken): pass

@pytest.mark.skip
def test_skipped(): pass

@pytest.mark.xfail
def test_expected(): raise ValueError
"""

RACE = """
import asyncio
import pytest

class Account:
    balance = 0

    async def deposit(self, amount):
        read = self.balance
        await asyncio.sleep(0.01)
        self.balance = read + amount

    def __repr__(self):
        return "an account"

@pytest.mark.explore
async def test_deposits():
    account = Account()

    async def later():
        await asyncio.sleep(0.015)
        await account.deposit(2)

    await asyncio.gather(account.deposit(1), later())
    assert account.balance == 3

@pytest.mark.explore
async def test_fine():
    await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.01))
"""


class Seen(Protocol):
    """The data of the page of a run of these tests, ``named`` by the last parts of their ids."""

    def __call__(self, source: str, *options: str) -> dict[str, Any]: ...


def read(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"))
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


@pytest.fixture
def seen(pytester: pytest.Pytester) -> Seen:
    def run(source: str, *options: str) -> dict[str, Any]:
        pytester.makepyfile(test_it=source)
        pytester.inline_run(*_OPTIONS, "--findings-html=page.html", *options, no_reraise_ctrlc=True)
        data = read(pytester.path / "page.html")
        data["named"] = {test["id"].partition("::")[2]: test for test in data["tests"]}
        return data

    return run


def test_each_test_with_what_is_known_of_it(seen: Seen) -> None:
    """Outcome, findings with their lines, how it failed, its tasks."""
    tests = seen(TESTS)["named"]
    assert {name: test["outcome"] for name, test in tests.items()} == {
        "test_leaks": "failed",
        "test_together": "passed",
        "test_fails": "failed",
        "test_plain": "passed",
        "test_error": "error",
        "test_skipped": "skipped",
        "test_expected": "xfailed",
    }
    (finding,) = tests["test_leaks"]["findings"]
    assert (finding["code"], finding["path"], finding["line"]) == ("AT301", "test_it.py", 9)
    assert [9, "    asyncio.create_task(fetch(3600))"] in finding["lines"]
    assert tests["test_together"]["tasks"]["says"] == "2 tasks beside the test's own, up to 2 at a time"
    assert tests["test_together"]["tasks"]["until"] == 2
    assert tests["test_fails"]["message"].startswith("test_it.py:16\nassert 0 == 1")
    assert "no database" in tests["test_error"]["message"]
    assert "tasks" not in tests["test_plain"]


def test_workers_of_xdist_hand_over_the_same(seen: Seen) -> None:
    """Findings, schedules, tasks; also names that UTF-8 does not have."""
    named = """
async def test_named():
    await asyncio.create_task(fetch(0), name="\\ud800\\0")
"""
    source = TESTS + RACE + named
    alone, workers = seen(source), seen(source, "-p", "xdist", "-n2")
    for data in (alone, workers):
        for test in data["named"].values():
            test["seconds"] = 0
            if "until" in test.get("tasks", ()) and "virtual" not in test["id"]:
                test["tasks"] = test["tasks"]["says"], [task[0] for task in test["tasks"]["tasks"]]
    for name, test in alone["named"].items():
        assert workers["named"][name] == test
    assert workers["named"]["test_named"]["tasks"][1] == ["test_named", "\\ud800\\u0000"]


def test_an_async_fixture_is_seen_by_its_name(seen: Seen) -> None:
    """And its waits are not those of the test."""
    source = """
import asyncio
import pytest_asyncio

@pytest_asyncio.fixture
async def database(virtual_clock):
    await asyncio.sleep(1)
    yield
    await asyncio.sleep(1)

async def test_one(database):
    await asyncio.sleep(1)
"""
    tasks = seen(source)["named"]["test_one"]["tasks"]
    assert tasks["says"] == "no task but the test's own, which waits once"
    assert [(task[0], task[1], task[2]) for task in tasks["tasks"]] == [
        ("database", 0, 1),
        ("test_one", 1, 2),
        ("database", 2, 3),
    ]


def test_the_page_of_each_rule_that_was_broken(seen: Seen) -> None:
    """The same as ``--explain`` prints; of those only, so that the page stays small."""
    rules = seen(TESTS)["rules"]
    assert list(rules) == ["AT301"]
    assert rules["AT301"].startswith("AT301 task still running at the end\n")


def test_a_failing_schedule_beside_the_passing_one(seen: Seen) -> None:
    """With the token and the command that replays it, and what was shared."""
    tests = seen(RACE)["named"]
    schedule = tests["test_deposits"]["schedule"]
    assert (schedule["deviations"], schedule["token"]) == (1, "t:0_jr")
    assert schedule["command"] == "pytest test_it.py::test_deposits --replay=t:0_jr"
    assert schedule["shared"][0].startswith("self.balance is read at 8")
    touches = {
        name: [box["touches"][0].split()[0] for box in schedule[name]["boxes"] if "touches" in box]
        for name in ("failing", "passing")
    }
    assert touches["failing"] == ["reads", "reads", "writes", "writes"]
    assert touches["passing"] == ["reads", "writes", "reads", "writes"]
    assert tests["test_fine"]["explored"].startswith("no failure in any schedule")


def test_a_replay_is_shown_beside_the_passing_run_too(seen: Seen) -> None:
    """Who replays a token has the page to look at."""
    schedule = seen(RACE, "--replay=t:0_jr", "-k", "deposits")["named"]["test_deposits"]["schedule"]
    assert schedule["passing"]["boxes"]
    assert schedule["token"] == "t:0_jr"


def test_what_fails_in_asyncios_own_order_has_no_passing_run(seen: Seen) -> None:
    """There is none to compare it to."""
    source = RACE.replace("account.balance == 3", "account.balance == 4")
    schedule = seen(source, "-k", "deposits")["named"]["test_deposits"]["schedule"]
    assert schedule["failing"]["boxes"]
    assert schedule["passing"] is None


def test_a_run_that_is_cut_short_leaves_a_page(seen: Seen) -> None:
    """By -x, or by whoever presses Ctrl-C: of the tests that had ended."""
    assert [test["outcome"] for test in seen(TESTS, "-x")["tests"]] == ["failed"]
    data = seen("def test_one(): pass\ndef test_two(): raise KeyboardInterrupt\n")
    assert list(data["named"]) == ["test_one"]
    assert data["ended"] == "The run was interrupted: what is here is what had ended by then."


def test_a_file_that_cannot_be_imported_is_on_the_page(seen: Seen) -> None:
    """Who looks for its tests sees why there are none."""
    (test,) = seen("import no_such_module\n")["tests"]
    assert (test["id"], test["outcome"]) == ("test_it.py", "error")
    assert "No module named 'no_such_module'" in test["message"]


def test_the_result_of_a_run_is_the_same_with_a_page(pytester: pytest.Pytester) -> None:
    """Looking changes nothing."""
    pytester.makepyfile(TESTS + RACE)
    plain = pytester.runpytest_inprocess(*_OPTIONS)
    shown = pytester.runpytest_inprocess(*_OPTIONS, "--findings-html=page.html")
    assert (shown.ret, shown.parseoutcomes()) == (plain.ret, plain.parseoutcomes())
    shown.stdout.fnmatch_lines([f"async findings as a page: {pytester.path / 'page.html'}"])


def test_without_findings_the_tests_are_listed(seen: Seen) -> None:
    """Nobody looks at their tasks then."""
    data = seen(TESTS, "--findings=off")
    assert data["mode"] == "off"
    assert data["named"]["test_leaks"] | {"seconds": 0} == {
        "id": "test_it.py::test_leaks",
        "outcome": "passed",
        "seconds": 0,
    }


def test_the_ini_file_may_name_the_page(pytester: pytest.Pytester) -> None:
    """As a path from the root directory; the command line has the last word, and may say none."""
    pytester.makeini("[pytest]\nfindings_html = build/page.html\n")
    pytester.makepyfile(test_it="def test_one(): pass")
    pytester.runpytest_inprocess(*_OPTIONS, "--findings-html=")
    assert not (pytester.path / "build").exists()
    pytester.runpytest_inprocess(*_OPTIONS)
    assert [test["outcome"] for test in read(pytester.path / "build" / "page.html")["tests"]] == ["passed"]


def test_a_page_that_cannot_be_written_changes_no_result(pytester: pytest.Pytester) -> None:
    """It is said what, why, and what to do."""
    pytester.makepyfile(test_it="def test_one(): pass")
    (pytester.path / "taken").write_text("a file")
    result = pytester.runpytest_inprocess(*_OPTIONS, "--findings-html=taken/page.html")
    assert result.ret == 0
    told = (
        "--findings-html=taken/page.html: the page could not be written to *taken/page.html (*); the tests' results "
        "stand. Name a file in a folder that can be written, on a disk with room, and run again"
    )
    result.stdout.fnmatch_lines([told])


def test_a_mistake_of_ours_changes_no_result(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends as it would, and says where the findings are to be had."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("broken")

    monkeypatch.setattr(collected.Collected, "data", broken)
    pytester.makepyfile(test_it="def test_one(): pass")
    result = pytester.runpytest_inprocess(*_OPTIONS, "--findings-html=page.html")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["--findings-html=page.html: the page could not be made (KeyError: 'broken'); *"])


def test_a_full_disk_leaves_the_older_page(pytester: pytest.Pytester, files: FileBuilders) -> None:
    """Whole, as it was, and nothing beside it."""
    pytester.makepyfile(test_it="def test_one(): pass")
    with files.full_disk(free=8192) as disk:
        page = disk / "page.html"
        page.write_text("the older one")
        result = pytester.runpytest_inprocess(*_OPTIONS, f"--findings-html={page}")
        assert page.read_text() == "the older one"
        assert [each.name for each in disk.folder.iterdir() if each.name.startswith(".page")] == []
    assert result.ret == 0
    assert "could not be written" in result.stdout.str()


def test_an_older_page_is_replaced_as_a_whole(pytester: pytest.Pytester) -> None:
    """Who has it open keeps what they have; a name that is a link stays one."""
    pytester.makepyfile(test_it="def test_one(): pass")
    (pytester.path / "page.html").write_text("older")
    (pytester.path / "link.html").symlink_to("page.html")
    with (pytester.path / "page.html").open() as reader:
        pytester.runpytest_inprocess(*_OPTIONS, "--findings-html=link.html")
        assert reader.read() == "older"
    assert (pytester.path / "link.html").is_symlink()
    assert len(read(pytester.path / "page.html")["tests"]) == 1


def test_a_device_is_written_to_and_not_replaced(pytester: pytest.Pytester) -> None:
    """Root could replace /dev/null by a file."""
    pytester.makepyfile(test_it="def test_one(): pass")
    pytester.runpytest_inprocess(*_OPTIONS, "--findings-html=/dev/null")
    assert Path("/dev/null").is_char_device()


def test_a_page_of_many_tests_stays_small(
    seen: Seen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the timelines are too much, the sentences are kept; never without those of a finding."""
    monkeypatch.setattr(collected, "_MOST_TIMELINES", 0)
    tests = seen(TESTS)["named"]
    assert tests["test_together"]["tasks"]["leftOut"] is True
    assert tests["test_together"]["tasks"]["says"] == "2 tasks beside the test's own, up to 2 at a time"
    assert tests["test_leaks"]["tasks"]["tasks"]
