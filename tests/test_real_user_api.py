"""`--user-api-url`: the contract against a server in a process of its own, as anybody would play it to theirs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from yarl import URL

SUITE = Path(__file__).with_name("test_user_api.py")
SETTINGS = SUITE.parent.parent / ".pytest.toml"
SERVER = [sys.executable, "-m", "shared_testing.fakes", "--port=0", "--users=5", "--require-login"]


def test_a_real_server_is_held_to_the_contract(pytester: pytest.Pytester) -> None:
    """`hatch run api` keeps it, login included, and ends when it is told to; the password is not printed."""
    with subprocess.Popen(SERVER, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = URL(server.stdout.readline().strip()).with_user("testuser").with_password("testpass")
            # Only what goes to the real server, and without strangers' plugins.
            without = ("cacheprovider", "hypothesispytest", "randomly", "timeout", "xdist")
            options = [*(f"-pno:{name}" for name in without), "-c", str(SETTINGS), "--tb=line", "-k", "real"]
            result = pytester.runpytest_inprocess(*options, f"--user-api-url={url}", str(SUITE))
        finally:
            server.send_signal(signal.SIGTERM)
            _, errors = server.communicate()
    assert result.ret == pytest.ExitCode.OK
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed", "skipped", "deselected"}
    assert outcomes["skipped"] == 2
    assert "testpass" not in result.stdout.str()
    assert server.returncode == 0
    assert "Traceback" not in errors
