"""AT103 in strict mode, where pytest's own words send one astray. The corpus has the cases of auto mode."""

from __future__ import annotations

import pytest

_STRICT = ("-p", "no:cacheprovider", "-o", "asyncio_mode=strict", "-o", "asyncio_default_fixture_loop_scope=function")


def test_a_test_without_its_mark_is_told_instead_of_a_missing_plugin(pytester: pytest.Pytester) -> None:
    """The plugin is installed; the mark is missing."""
    pytester.makepyfile(test_it="async def test_fetch():\n    pass\n")
    result = pytester.runpytest_subprocess(*_STRICT)
    result.stdout.fnmatch_lines(
        [
            "AT103 async test 'test_fetch' never ran",
            "  --> test_it.py:1 in test_fetch",
            "   |   async def test_fetch():",
            "  cause: asyncio_mode is strict, and the test is not marked with @pytest.mark.asyncio",
            '  fix:   put @pytest.mark.asyncio above it; or set asyncio_mode = "auto" in the ini file',
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*install a suitable plugin*")
    result.assert_outcomes(failed=1)


def test_an_async_fixture_is_told_in_each_test_that_asks_for_it(pytester: pytest.Pytester) -> None:
    """After the first, pytest fails with a bare AssertionError."""
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture
        async def client():
            return 1

        @pytest.mark.asyncio
        async def test_first(client): ...

        @pytest.mark.asyncio
        async def test_second(client): ...

        def test_sync(client): ...

        @pytest.mark.asyncio
        async def test_innocent(): ...
        """
    )
    result = pytester.runpytest_subprocess(*_STRICT, "-W", "error")
    told = [
        "AT103 async fixture 'client' never ran",
        "  --> test_it.py:3 in client",
        "   |   @pytest.fixture",
        "  cause: asyncio_mode is strict, and the fixture is decorated with @pytest.fixture",
        '  fix:   decorate it with @pytest_asyncio.fixture; or set asyncio_mode = "auto" in the ini file',
        "  note:  the fixture is defined at test_it.py:4 in client",
    ]
    result.stdout.fnmatch_lines([*told, "*", *told])
    result.stdout.fnmatch_lines(["AT103 async fixture 'client' never ran, for the sync test 'test_sync'"])
    result.stdout.no_fnmatch_line("*AssertionError*")
    result.assert_outcomes(errors=3, passed=1)


def test_a_test_with_a_yield_fails_instead_of_being_skipped(pytester: pytest.Pytester) -> None:
    """pytest-asyncio marks it as an expected failure that is not run."""
    pytester.makepyfile("import pytest\n@pytest.mark.asyncio\nasync def test_it():\n    yield\n")
    result = pytester.runpytest_subprocess(*_STRICT)
    result.stdout.fnmatch_lines(["AT103 async test 'test_it' never ran", "  --> *:3 in test_it"])
    assert result.ret == 1


def test_an_assertion_of_ones_own_is_left_alone(pytester: pytest.Pytester) -> None:
    """An AssertionError in setup is no proof of an async fixture."""
    pytester.makepyfile("import pytest\n@pytest.fixture\ndef it():\n    assert 0\ndef test_it(it): ...\n")
    result = pytester.runpytest_subprocess(*_STRICT)
    result.stdout.no_fnmatch_line("*AT103*")
    result.assert_outcomes(errors=1)


# Nothing of it is for want of a mark.
_OTHER_CAUSES = """
import contextlib, functools, pytest, pytest_asyncio

@pytest_asyncio.fixture(scope="module", loop_scope="function")
async def client(): ...

async def do_it(): ...

def runs_to_its_end(test):
    @functools.wraps(test)
    def wrapper():
        with contextlib.suppress(StopIteration):
            test().__anext__().send(None)
    return wrapper

@pytest.mark.asyncio
async def test_of_a_broken_fixture(client): ...

@pytest.mark.asyncio
async def test_after_it(client): ...

def test_without_a_loop(client): ...

@pytest.mark.skip(reason="later")
@pytest.mark.asyncio
async def test_skipped():
    yield

@runs_to_its_end
async def test_run_by_its_decorator():
    yield
"""


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_what_fails_by_another_cause_is_left_alone(pytester: pytest.Pytester, mode: str) -> None:
    """A wrong scope too ends in pytest's bare AssertionError, from the second test on."""
    pytester.makepyfile(test_it=_OTHER_CAUSES)
    result = pytester.runpytest_subprocess(*_STRICT, "-o", f"asyncio_mode={mode}")
    result.stdout.no_fnmatch_line("*AT103*")
    result.stdout.fnmatch_lines(["ScopeMismatch: *"])
    result.assert_outcomes(errors=3, passed=1, skipped=1)


def test_each_cause_of_a_test_that_never_ran_has_its_own_words(pytester: pytest.Pytester) -> None:
    """To mark a plain function, or to mark once more what a hook marked too late, would mend nothing."""
    pytester.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if "late" in item.name:
                    item.add_marker(pytest.mark.asyncio)
        """
    )
    pytester.makepyfile(
        test_it="""
        async def do_it(): ...

        def test_plain():
            return do_it()

        async def test_late(): ...
        """
    )
    result = pytester.runpytest_subprocess(*_STRICT)
    result.stdout.fnmatch_lines(
        [
            "AT103 async test 'test_plain' never ran",
            "  cause: it is a plain function that returns a coroutine, which nobody awaits",
            "  fix:   make it 'async def', and await the coroutine in it",
            "AT103 async test 'test_late' never ran",
            "  cause: it was marked by a hook, after pytest-asyncio had looked for its marks",
            '  fix:   put @pytest.mark.asyncio above it; or set asyncio_mode = "auto" in the ini file',
        ]
    )
    result.assert_outcomes(failed=2)
