"""`hatch run pitfalls`: the corpus as a show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "pitfalls.py"


def pitfalls(*codes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *codes], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_a_rule_is_shown_by_its_code_and_both_answers() -> None:
    """Both come from real runs: pytest without the plugin expects the failure of a test with a yield."""
    done = pitfalls("AT103")
    assert done.returncode == 0, done.stderr
    first = done.stdout.partition("\n── ")[0]
    assert first.startswith("── AT103 async test or fixture that never really ran ──")
    assert first.partition("AT103_never_ran.py:11\n")[2] == (
        "\n"
        "    async def test_with_a_yield() -> object:  # !! AT103\n"
        "        yield 1\n"
        "\n"
        "plain pytest:\n"
        "    expected failure\n"
        "\n"
        "shared_testing:\n"
        "    AT103 async test 'test_with_a_yield' never ran\n"
        "      --> AT103_never_ran.py:11 in test_with_a_yield\n"
        "       |   async def test_with_a_yield() -> object:  # !! AT103\n"
        "      cause: it has a yield, which makes it an async generator, and no plugin runs those as tests\n"
        "      fix:   take the yield out, or move it to a fixture\n"
    )


def test_an_unknown_rule_names_those_that_exist() -> None:
    """And nothing is run."""
    done = pitfalls("AT999")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("pitfalls: there is no rule AT999; the rules are AT101, AT102, ")


# The show, of a run that has taken place already.
RAN = """
import pitfalls

def run(targets, *_, **__):
    file = pitfalls.FILES["AT103"]
    tests = [each for each in pitfalls.functions_of(file)]
    finding = {"code": "AT103", "line": 1, "path": str(file), "text": "AT103 never ran"}
    return {each.id: pitfalls.Told(findings=[finding]) for each in tests}

pitfalls.run = run
pitfalls.command()
"""


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    """As with `hatch run pitfalls | head`."""
    command = [sys.executable, "-c", RAN, "AT103"]
    with subprocess.Popen(command, cwd=SCRIPT.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as show:
        assert show.stdout is not None
        assert show.stderr is not None
        show.stdout.close()
        assert show.stderr.read().decode() == "running AT103 twice ...\n"
    assert show.returncode == 0
