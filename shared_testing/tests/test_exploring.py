"""Exploration as a user of pytest meets it: a mark, some options, one report."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

# Otherwise each run of pytest in this process would import them anew, and forget them at its end.
import shared_testing.under_pytest.examples
import shared_testing.under_pytest.explored_item

if TYPE_CHECKING:
    from pathlib import Path

_MODES = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")

RACE = """
import asyncio, pytest

async def deposit(account, amount, seconds):
    read = account["balance"]
    await asyncio.sleep(seconds)
    account["balance"] = read + amount

async def later(account):
    await asyncio.sleep(0.012)
    await deposit(account, 2, 0.001)

@pytest.fixture
def account():
    return {"balance": 0}

@pytest.mark.explore
async def test_race(account):
    await asyncio.gather(deposit(account, 1, 0.01), later(account))
    assert account["balance"] == 3
"""

MENDED = RACE.replace("read = account", "await asyncio.sleep(seconds)\n    read = account").replace(
    '["balance"]\n    await asyncio.sleep(seconds)\n    acc', '["balance"]\n    acc'
)
MENDED = MENDED.replace("mark.explore\n", "mark.explore(schedules=20)\n")


def run(pytester: pytest.Pytester, source: str, *options: str, cache: bool = False) -> pytest.RunResult:
    pytester.makepyfile(test_it=source)
    cacheless = () if cache else ("-p", "no:cacheprovider")
    return pytester.runpytest_inprocess(*_MODES, *cacheless, *options, no_reraise_ctrlc=True)


def token_in(result: pytest.RunResult) -> str:
    found = re.search(r"--replay=(\S+)", str(result.stdout))
    assert found is not None
    return found[1]


# ---------------------------------------------------------------------- what is found, and how it is told


def test_a_race_is_told_with_its_lines_and_its_token(pytester: pytest.Pytester) -> None:
    """Plain pytest passes it; one deviation is enough, and all that is needed to see it stands in the report."""
    assert run(pytester, RACE.replace("@pytest.mark.explore\n", "")).ret == 0
    result = run(pytester, RACE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "AT401 AssertionError in one order of arrivals: assert 1 == 3",
            "  --> test_it.py:5 in deposit",
            "   |   await asyncio.sleep(seconds)",
            "  cause: account[[]'balance'] is read at 4, and written at 6 from that older value: 2 tasks did so *",
            "  note:  1 deviation from asyncio's own order, found after 2 schedules; replay it with the token *",
            "  note:  pytest test_it.py::test_race --replay=*",
            "what ran; [*] = asyncio itself would have let another one go first:",
            "*s [*] later *  ->  5: await asyncio.sleep(seconds)",
            "*s   deposit *  ->  ends",
            ">       assert account[[]*",
        ]
    )
    text = str(result.stdout)
    assert len(text[text.index("AT401") : text.index("account = {")].splitlines()) <= 40
    assert text.count("AT401") == 1


def test_a_pass_says_what_it_proves(pytester: pytest.Pytester) -> None:
    """With -v in the summary, and in the JUnit report; without it nothing is added."""
    result = run(pytester, MENDED, "-v", "--junit-xml=junit.xml")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*explored schedules*", "test_it.py::test_race: no failure in any schedule* complete)"]
    )
    assert 'name="explored" value="no failure in any schedule' in (pytester.path / "junit.xml").read_text("utf-8")
    assert "explored" not in str(run(pytester, MENDED).stdout)


def test_a_replay_runs_the_failing_schedule_alone(pytester: pytest.Pytester) -> None:
    """The token of the report gives the same report, after one run."""
    token = token_in(run(pytester, RACE))
    result = run(pytester, RACE, f"--replay={token}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["AT401 *", "*1 deviation from asyncio's own order, found after 1 schedule;*"])
    # Also where no mark asks for it, as after --explore.
    run(pytester, RACE.replace("@pytest.mark.explore\n", ""), f"--replay={token}").assert_outcomes(failed=1)
    result = run(pytester, RACE + "    await asyncio.sleep(0)\n\nasync def test_other(): pass\n", f"--replay={token}")
    result.stderr.fnmatch_lines(["*--replay=* replays one test, and 2 were selected*"])


def test_a_token_that_no_longer_fits_says_so(pytester: pytest.Pytester) -> None:
    """A pass of other code than the token's proves nothing."""
    token = token_in(run(pytester, RACE))
    result = run(pytester, "async def test_race(): pass", f"--replay={token}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no longer fits the code*"])
    run(pytester, RACE, "--replay=nonsense").stderr.fnmatch_lines(["*'nonsense' is no token*"])


def test_a_known_token_is_tried_first_and_dropped_when_it_passes(pytester: pytest.Pytester) -> None:
    """The second run needs one schedule; mended code is explored anew, without a word about the token."""
    kept = pytester.path / ".pytest_cache" / "v" / "shared_testing" / "failing_schedules"
    token = token_in(run(pytester, RACE, cache=True))
    assert json.loads(kept.read_text("utf-8")) == {"test_it.py::test_race": token}
    run(pytester, RACE, cache=True).stdout.fnmatch_lines(["*found after 1 schedule;*"])
    result = run(pytester, MENDED, "-v", cache=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*no failure in any schedule*"])
    assert json.loads(kept.read_text("utf-8")) == {}


def test_the_finding_reaches_json_and_junit_with_its_timeline(pytester: pytest.Pytester) -> None:
    """What a page or a pull request shows: rule, token, steps."""
    run(pytester, RACE, "--findings-json=found.jsonl", "--junit-xml=junit.xml")
    found = json.loads((pytester.path / "found.jsonl").read_text("utf-8"))
    assert (found["code"], found["line"], found["schedules"]) == ("AT401", 5, 2)
    assert found["token"].startswith("t:")
    assert [step["task"] for step in found["timeline"] if step["deviates"]] == ["later"]
    assert 'value="AT401 test_it.py:5 in deposit"' in (pytester.path / "junit.xml").read_text("utf-8")


def test_a_test_that_fails_in_asyncios_own_order_is_no_race(pytester: pytest.Pytester) -> None:
    """Its report is the one that it has without exploration."""
    result = run(pytester, "import pytest\n@pytest.mark.explore\nasync def test_wrong(): assert 1 == 2\n")
    result.assert_outcomes(failed=1)
    assert "AT401" not in str(result.stdout)
    assert "schedule" not in str(result.stdout)


def test_a_deadlock_of_one_schedule_is_told_with_who_waits(pytester: pytest.Pytester) -> None:
    """The verdict is that of AT402, with the schedule beside it."""
    result = run(
        pytester,
        """
        import asyncio, pytest

        async def take(first, second, wait):
            await asyncio.sleep(wait)
            async with first:
                await asyncio.sleep(0.001)
                async with second:
                    pass

        @pytest.mark.explore
        async def test_abba():
            a, b = asyncio.Lock(), asyncio.Lock()
            await asyncio.gather(take(a, b, 0.01), take(b, a, 0.02))
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["AT402 *", "*deviation* from asyncio's own order*", "*--replay=*"])


# ---------------------------------------------------------------------- fixtures


FIXTURES = """
import asyncio, os, pytest, pytest_asyncio
made = []

@pytest.fixture(scope="module")
def shared():
    made.append("shared")
    yield []
    made.append("shared down")

@pytest.fixture(params=["a", "b"])
def letter(request): return request.param

@pytest.fixture
def plain():
    made.append("plain")
    yield []
    made.append("plain down")

@pytest_asyncio.fixture
async def client(plain):
    await asyncio.sleep(0.001)
    made.append("client")
    yield plain
    await asyncio.sleep(0.001)
    made.append("client down")

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.explore(schedules=5)
async def test_fresh(client, plain, shared, monkeypatch, tmp_path, letter, n, capsys, caplog, record_property):
    print("seen")
    assert capsys.readouterr().out == "seen\\n"
    assert not list(tmp_path.iterdir()) and "AT" not in os.environ and not caplog.records and client is plain == []
    monkeypatch.setenv("AT", "1")
    (tmp_path / "x").write_text("x")
    plain.append(1)
    record_property("n", n)
    __import__("logging").getLogger().warning("said")
    await asyncio.gather(*(asyncio.sleep(0.001 * each) for each in range(3)))

class TestClass:
    @pytest.mark.explore(schedules=3)
    async def test_method(self, plain):
        assert plain == [] and not hasattr(self, "seen")
        self.seen = True
        await asyncio.gather(asyncio.sleep(0.001), asyncio.sleep(0.002))

def test_counts():
    assert made.count("shared") == made.count("shared down") + 1 == 1
    assert made.count("client") == made.count("client down") == 20
    assert made.count("plain") == made.count("plain down") == 23
"""


@pytest.mark.parametrize("findings", ["error", "off"])
def test_fixtures_of_a_function_are_set_up_afresh_for_each_schedule(pytester: pytest.Pytester, findings: str) -> None:
    """Sync and async, generators, parametrised and pytest's own; those of a wider scope are shared, which is said."""
    result = run(
        pytester, FIXTURES, "-v", f"--findings={findings}", "--junit-xml=junit.xml", "-o", "junit_family=xunit1"
    )
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["*test_fresh*: no failure in asyncio's own order (*all shared shared (module)"])
    assert (pytester.path / "junit.xml").read_text("utf-8").count('<property name="n"') == 4


def test_fixtures_in_strict_mode(pytester: pytest.Pytester) -> None:
    """Those who mark each async test get the same."""
    source = RACE.replace("@pytest.mark.explore", "@pytest.mark.explore\n@pytest.mark.asyncio")
    run(pytester, source, "-o", "asyncio_mode=strict").assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def test_x(): pass", "this test is not async"),
        ("@pytest.mark.asyncio(loop_scope='module')\nasync def test_x(): pass", "shares the event loop of its module"),
        (
            "@pytest_asyncio.fixture(scope='module')\nasync def x(): pass\n@MARK\nasync def test_x(x): pass",
            "has the async fixture 'x' of module scope",
        ),
        (
            "@pytest_asyncio.fixture(loop_scope='session')\nasync def x(): pass\n@MARK\nasync def test_x(x): pass",
            "has the async fixture 'x' on the event loop of its session",
        ),
        (
            "@pytest.mark.explore(runs=3)\nasync def test_x(): pass",
            "no runs; there are schedules, seed, lateness, cancel",
        ),
        ("@pytest.mark.explore(3)\nasync def test_x(): pass", "explore takes keywords: schedules, seed"),
        ("@pytest.mark.explore(schedules=0)\nasync def test_x(): pass", "schedules=0: give the number of schedules"),
        ("@pytest.mark.explore(lateness='x')\nasync def test_x(): pass", "lateness='x': give seconds"),
        ("@pytest.mark.explore(cancel=1)\nasync def test_x(): pass", "cancel=1: give True"),
    ],
)
def test_what_cannot_be_explored_is_a_usage_error(pytester: pytest.Pytester, source: str, says: str) -> None:
    """Before anything has run, with what would be right."""
    mark = "" if "explore" in source or "@MARK" in source else "@pytest.mark.explore\n"
    source = source.replace("@MARK", "@pytest.mark.explore")
    result = run(pytester, f"import pytest, pytest_asyncio\n{mark}{source}\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: test_it.py::test_x: *{says}*"])


# ---------------------------------------------------------------------- findings


def test_a_leak_in_every_schedule_is_told_once(pytester: pytest.Pytester) -> None:
    """As without exploration: the first run has it already."""
    result = run(
        pytester,
        """
        import asyncio, pytest

        @pytest.mark.explore
        async def test_leak():
            asyncio.create_task(asyncio.sleep(3600))
            await asyncio.gather(asyncio.sleep(0.001), asyncio.sleep(0.002))

        @pytest.mark.explore
        @pytest.mark.allow_finding("AT301", reason="it shows the leak")
        async def test_allowed():
            asyncio.create_task(asyncio.sleep(3600))
            await asyncio.gather(asyncio.sleep(0.001), asyncio.sleep(0.002))

        @pytest.mark.explore
        @pytest.mark.allow_finding("AT301", reason="gone")
        async def test_unused():
            await asyncio.gather(asyncio.sleep(0.001), asyncio.sleep(0.002))
        """,
    )
    result.assert_outcomes(passed=1, failed=2)
    assert str(result.stdout).count("\nAT301 task") == 1
    assert str(result.stdout).count("\nAT301 is allowed here, but was not found: gone") == 1


LEAKS_LATE = """
import asyncio, pytest

@pytest.mark.explore
async def test_leak():
    state = []

    async def first():
        await asyncio.sleep(0.01)
        state.append(1)

    async def second():
        await asyncio.sleep(0.011)
        if not state:
            asyncio.create_task(asyncio.sleep(3600))

    await asyncio.gather(first(), second())
"""


def test_a_leak_of_one_schedule_is_told_with_that_schedule(pytester: pytest.Pytester) -> None:
    """A finding is a failure like another: shrunk, shown, replayed."""
    result = run(pytester, LEAKS_LATE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["AT301 task*", "*1 deviation from asyncio's own order*", "*--replay=*", "what ran;*"])
    run(pytester, LEAKS_LATE, f"--replay={token_in(result)}").assert_outcomes(failed=1)
    warned = run(pytester, LEAKS_LATE, "--findings=warn")
    warned.assert_outcomes(passed=1)
    assert str(warned.stdout).count("\nAT301 task") == 1


def test_a_test_that_cannot_be_run_twice_is_no_race(pytester: pytest.Pytester) -> None:
    """It fails in asyncio's own order too, the second time: that is told, with what all its runs share."""
    source = """
    import asyncio, pytest
    seen = []

    @pytest.mark.explore
    async def test_once():
        await asyncio.gather(asyncio.sleep(0.001), asyncio.sleep(0.002))
        seen.append(1)
        assert len(seen) == 1
    """
    result = run(pytester, source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["AT501 'test_once' passes the first time, and fails when it is run once more*"])
    assert "AT401" not in str(result.stdout)
    result = run(pytester, source.replace("@pytest.mark.explore", ""), "--explore")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*1 could not be explored: 1 fails when it is run twice"])


# ---------------------------------------------------------------------- options


def test_explore_takes_every_async_test_and_counts_the_others(pytester: pytest.Pytester) -> None:
    """One line says how many could not be, and why."""
    result = run(
        pytester,
        RACE.replace("@pytest.mark.explore\n", "")
        + "\n@pytest.mark.asyncio(loop_scope='module')\nasync def test_wide(): pass\n"
        + "\ndef test_sync(): pass\n",
        "--explore",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["explored 1 tests under 2 schedules; 1 could not be explored: 1 shares the event loop of its module*"]
    )
    run(pytester, RACE.replace("@pytest.mark.explore\n", ""), "-o", "explore=true").assert_outcomes(failed=1)


def test_the_command_line_has_the_last_word_and_the_ini_file_the_first(pytester: pytest.Pytester) -> None:
    """A nightly run goes deeper than the mark says."""
    source = MENDED.replace("schedules=20", "schedules=3")
    run(pytester, source, "-v").stdout.fnmatch_lines(["*(3 runs*"])
    run(pytester, source, "-v", "--schedules=7").stdout.fnmatch_lines(["*(7 runs*"])
    run(pytester, MENDED.replace("(schedules=20)", ""), "-v", "-o", "explore_schedules=5").stdout.fnmatch_lines(
        ["*(5 runs*"]
    )
    run(pytester, RACE, "--lateness=0.001").assert_outcomes(passed=1)
    run(pytester, RACE, "-o", "explore_lateness=0.001").assert_outcomes(passed=1)
    run(pytester, RACE, "--seed=3").assert_outcomes(failed=1)
    for wrong in ("--schedules=0", "--lateness=0", "--lateness=0.0015", "--seed=-1"):
        run(pytester, RACE, wrong).stderr.fnmatch_lines(["ERROR: *: give *"])


CANCELLED = """
import asyncio, pytest

@pytest.mark.explore(cancel=%s)
async def test_cancel():
    held = []

    async def worker():
        held.append(1)
        await asyncio.sleep(0.01)
        held.pop()

    task = asyncio.create_task(worker(), name="worker")
    await asyncio.wait([task])
    assert not held
"""


def test_a_cancellation_is_tried_at_each_suspension(pytester: pytest.Pytester) -> None:
    """By the mark or by --cancel; of a task that does not exist is a mistake that is told."""
    for source, option in (
        (CANCELLED % "True", "-q"),
        (CANCELLED % "'worker'", "-q"),
        (CANCELLED % "False", "--cancel"),
    ):
        result = run(pytester, source, option)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["AT401 *", "*worker*cancelled*"])
    run(pytester, CANCELLED % "False").assert_outcomes(passed=1)
    run(pytester, CANCELLED % "'nobody'").stdout.fnmatch_lines(["*cancel='nobody': no task of that name*worker*"])


# ---------------------------------------------------------------------- what else a test may do


def test_skip_xfail_and_raises_keep_their_meaning(pytester: pytest.Pytester) -> None:
    """One item, one result, whatever was explored."""
    result = run(
        pytester,
        RACE
        + """
test_expected = pytest.mark.xfail(strict=True)(test_race)

@pytest.mark.explore
@pytest.mark.xfail(strict=True)
async def test_unexpected(): await asyncio.gather(asyncio.sleep(0.001), asyncio.sleep(0.002))

@pytest.mark.explore
async def test_skip(): pytest.skip("not here")

@pytest.mark.explore
async def test_xfail(): pytest.xfail("not yet")

@pytest.mark.explore
async def test_raises():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await asyncio.Event().wait()
""".replace("test_expected = pytest.mark.xfail(strict=True)(test_race)", ""),
    )
    result.assert_outcomes(failed=2, skipped=1, xfailed=1, passed=1)
    expected = RACE.replace("@pytest.mark.explore", "@pytest.mark.explore\n@pytest.mark.xfail(strict=True)")
    run(pytester, expected).assert_outcomes(xfailed=1)


def test_errors_of_setup_and_teardown_are_errors(pytester: pytest.Pytester) -> None:
    """And an error of a wider fixture's end is told as ever."""
    result = run(
        pytester,
        """
        import asyncio, pytest

        @pytest.fixture
        def broken(): raise ValueError("up")

        @pytest.fixture
        async def falls():
            yield
            raise ValueError("down")

        @pytest.fixture(scope="module")
        def wide():
            yield
            raise ValueError("wide down")

        @pytest.mark.explore
        async def test_up(broken): pass

        @pytest.mark.explore
        async def test_down(falls): pass

        @pytest.mark.explore
        async def test_wide(wide): pass
        """,
    )
    result.assert_outcomes(passed=2, errors=3)
    result.stdout.fnmatch_lines(["*ValueError: up", "*ValueError: down", "*ValueError: wide down"])


def test_an_end_that_comes_between_two_runs_is_the_tests(pytester: pytest.Pytester) -> None:
    """A signal's handler raises wherever the process happens to be, also in the search itself."""
    pytester.makeconftest(
        """
        import pytest
        from shared_testing.exploration.search import Search
        ended = Search.ended

        def interrupted(self, error):
            ended(self, error)
            if self.result.schedules == 2:
                pytest.fail("Timeout")

        @pytest.fixture(scope="session", autouse=True)
        def handlers():
            Search.ended = interrupted
            yield
            Search.ended = ended
        """
    )
    result = run(pytester, MENDED + "\n\ndef test_after(): pass\n")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["E *Failed: Timeout"])


def test_an_interrupt_ends_at_once_and_puts_everything_back(pytester: pytest.Pytester) -> None:
    """Ctrl-C in the middle of a search is no failure of a schedule."""
    result = run(
        pytester,
        """
        import asyncio, pytest, random
        runs = []

        @pytest.fixture(scope="module", autouse=True)
        def tells():
            yield
            print("torn down", len(runs))

        @pytest.mark.explore
        async def test_stopped():
            runs.append(1)
            await asyncio.gather(asyncio.sleep(0.001), asyncio.sleep(0.002))
            if len(runs) == 3:
                raise KeyboardInterrupt
        """,
        "-s",
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])
    assert "torn down 3" in str(result.stdout)


HYPOTHESIS = """
import asyncio, pytest
from hypothesis import Phase, given, settings, strategies

@pytest.mark.explore
@settings(max_examples=5, database=None, phases=[Phase.generate])
@given(amount=strategies.integers(1, 50))
async def test_race(amount):
    account = {"balance": 0}

    async def deposit(seconds, amount):
        await asyncio.sleep(seconds)
        read = account["balance"]
        await asyncio.sleep(0.001)
        account["balance"] = read + amount

    %s
    assert account["balance"] == 2 * amount
"""


def test_hypothesis_explores_each_example(pytester: pytest.Pytester) -> None:
    """The example is hypothesis's affair, the schedule ours, and both are told."""
    race = HYPOTHESIS % "await asyncio.gather(deposit(0.01, amount), deposit(0.012, amount))"
    fine = HYPOTHESIS % "await deposit(0.01, amount); await deposit(0.01, amount)"
    # Its import takes a second.
    both = race + fine.replace("test_race", "test_fine")
    result = run(pytester, both, "-p", "hypothesispytest")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*AT401 AssertionError in one order of arrivals*", "*replay it with the token*"])
    result.stdout.fnmatch_lines(["*amount=*"])


def test_randomly_timeout_and_xdist_stand_beside_it(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """The token comes home from a worker, the pass with it, and the state of the dice is one for all runs."""
    pytester.makepyfile(test_it=RACE + RACE[RACE.index("@pytest.mark.explore") :].replace("test_race", "test_two"))
    result = pytester.runpytest_subprocess(
        *_MODES, "-v", "-p", "xdist", "-p", "randomly", "-p", "timeout", "--timeout=50", "-n2"
    )
    result.assert_outcomes(failed=2)
    kept = pytester.path / ".pytest_cache" / "v" / "shared_testing" / "failing_schedules"
    assert set(json.loads(kept.read_text("utf-8"))) == {"test_it.py::test_race", "test_it.py::test_two"}
    assert str(result.stdout).count("AT401 ") == 2


@pytest.mark.parametrize("dropped", [False, True])
def test_a_timeout_of_pytest_timeout_ends_the_search(pytester: pytest.Pytester, *, dropped: bool) -> None:
    """It is the user's limit for the whole test, and no failure of the schedule that happens to run; also when it is
    raised in a finalizer, and lost.
    """
    pytester.makepyfile(
        test_it=f"""
        import asyncio, pytest, signal
        runs = []

        class Slow:
            def __del__(self):
                while {dropped} and len(runs) > 1 and signal.getitimer(signal.ITIMER_REAL)[0]:
                    pass

        @pytest.mark.explore(schedules=100000)
        @pytest.mark.timeout(50)
        async def test_long():
            runs.append(1)
            if len(runs) == 2:
                # Now it is over soon, however long the machine took until here.
                signal.setitimer(signal.ITIMER_REAL, 0.01)
            Slow()
            await asyncio.gather(*(asyncio.sleep(0.001 * each) for each in range(6)))

        def test_after():
            assert len(runs) > 1
        """
    )
    result = pytester.runpytest_subprocess(*_MODES, "-p", "timeout", "-p", "no:cacheprovider", "-Wignore")
    # It may come in the setup or teardown of a fixture: then it is an error.
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] >= 1
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1
    result.stdout.fnmatch_lines(["*Timeout*>50.0s*"])
    assert "AT401" not in str(result.stdout)


class Screen:
    """As much of a terminal as the progress needs."""

    isatty = True

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.currentfspath: object = "test_it.py"

    def ensure_newline(self) -> None:
        self.lines.append("newline")

    def rewrite(self, line: str, *, erase: bool) -> None:
        assert erase
        self.lines.append(line)


def test_a_long_search_shows_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two seconds, on a terminal only, and nothing of it stays."""
    now = [0.0]
    monkeypatch.setattr(shared_testing.under_pytest.explored_item, "perf_counter", lambda: now[0])
    for tty, shown in ((True, ["newline", "test_x: 900 of 1000 schedules", ""]), (False, [])):
        now[0] = 0.0
        screen = Screen()
        screen.isatty = tty
        progress = shared_testing.under_pytest.explored_item.Progress(screen, "test_x", 1000)
        for moment, schedules in ((1.9, 400), (2.1, 900), (2.15, 950)):
            now[0] = moment
            progress.tell(schedules)
        progress.end()
        assert screen.lines == shown
        assert (screen.currentfspath is None) == tty
