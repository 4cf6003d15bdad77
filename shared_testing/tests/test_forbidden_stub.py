"""AT601 and AT602 of fakes and stubs, as their user reads them."""

from __future__ import annotations

import pytest

OPTIONS = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]

TESTS = """
import aiohttp
from shared_testing.contracts.user_api import GET_USER

async def test_waits(users):
    users.on(GET_USER).reply(429)

async def test_misspelt(users):
    async with aiohttp.ClientSession(users.url) as session, session.get("/user/1") as response:
        assert response.status == 404

async def test_fails(users):
    users.on(GET_USER).reply(503)
    assert 1 == 2
"""

TEXT = """\
*_ test_waits _*
AT601 GET_USER is scripted with a 429 that the contract forbids
  --> *.py:5 in test_waits
   |   users.on(GET_USER).reply(429)
  cause: Retry-After is missing, which always comes with 429
  fix:   write what the service does answer; users.on(...).break_contract(...) is for a server that misbehaves
*_ test_misspelt _*
AT602 request GET /user/1, which nobody answers
  --> *.py:8 in test_misspelt
   |   async with aiohttp.ClientSession(users.url) as session, session.get("/user/1") as response:
  cause: the user API has no such operation; did you mean GET /users/{id}?
  fix:   ask for a path of the contract, or add it there when the service has got a new one
*_ test_fails _*
"""


# They run in this process, and are heard of here as well.
@pytest.mark.allow_finding("AT601", reason="the tests inside have it")
@pytest.mark.allow_finding("AT602", reason="the tests inside have it")
def test_a_stub_is_told_by_its_line_alone(pytester: pytest.Pytester) -> None:
    """No traceback says it again, and a test that failed for another reason is not told of what it left."""
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines([line.replace("[", "[[]") for line in TEXT.splitlines()], consecutive=False)
    result.stdout.no_fnmatch_line("*ContractViolation*")
    assert result.stdout.str().count("AT602 ") == 2  # once above, once in the summary
