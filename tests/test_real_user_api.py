"""`--user-api-url`: the contract against a server in a process of its own, as anybody would play it to theirs."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from yarl import URL

ROOT = Path(__file__).resolve().parent.parent
PIPE = asyncio.subprocess.PIPE


async def play(url: URL) -> tuple[int, str]:
    """pytest's exit code and output; only what goes to the real server, without strangers' plugins."""
    without = ("cacheprovider", "hypothesispytest", "randomly", "timeout", "xdist")
    options = [*(f"-pno:{name}" for name in without), "-q", "--no-header", "--tb=line", "-k", "real"]
    command = [sys.executable, "-m", "pytest", *options, f"--user-api-url={url}", "tests/test_user_api.py"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=asyncio.subprocess.STDOUT)
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def test_a_real_server_is_held_to_the_contract() -> None:
    """`hatch run api` keeps it, login included, and ends when it is told to; the password is not printed."""
    command = [sys.executable, "-m", "shared_testing.fakes", "--port=0", "--users=5", "--require-login"]
    server = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        assert server.stdout is not None
        url = URL((await server.stdout.readline()).decode().strip())
        code, printed = await play(url.with_user("testuser").with_password("testpass"))
    finally:
        server.send_signal(signal.SIGTERM)
        _, errors = await server.communicate()
    assert code == pytest.ExitCode.OK, printed
    assert " passed, 2 skipped" in printed
    assert "testpass" not in printed
    assert server.returncode == 0
    assert b"Traceback" not in errors
